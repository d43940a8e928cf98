"""Fine-tuning one member: the loop over batches, its schedule, and its unfinished state."""

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from nlp.training.checkpoints import Checkpoint
from nlp.training.examples import Examples, Ints
from nlp.training.plan import TrainingPlan

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["Progress", "fit_member", "steps_of"]

Progress = Callable[[int, int, float], None]

_AVERAGED_EVERY = 5  # steps
_LAYER = re.compile(r"\.layers?\.(\d+)\.")
_WARM_AVERAGE = 20  # steps after which the average looks back half as far as there were steps


def steps_of(examples: Examples, plan: TrainingPlan, member: int = 0) -> int:
    """How many batches the member learns from."""
    per_epoch = len(examples.drawn(np.random.default_rng(plan.seed), member))
    return plan.epochs * math.ceil(per_epoch / plan.batch_size)


def fit_member(
    module: "PreTrainedModel",
    examples: Examples,
    *,
    plan: TrainingPlan,
    member: int = 0,
    device: str,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> "dict[str, torch.Tensor]":
    """The averaged float32 weights of the module after all epochs; the module learns in place.

    On one CPU thread, or on a GPU with the same kernels, the same seed gives the same weights,
    also when the run was cut off and goes on from `checkpoint`.
    """
    seed = plan.seed + member
    run = _Run(module, plan, steps_of(examples, plan, member), device)
    done = run.restore(checkpoint.read()) if checkpoint is not None else 0
    step = 0
    for epoch in range(plan.epochs):
        rng = np.random.default_rng([seed, epoch])
        if step >= done:
            run.seed_dropout(seed, epoch)
        for rows in examples.batches(plan.batch_size, rng, member):
            step += 1
            if step <= done:
                continue
            loss = run.learn(examples, rows, step)
            if progress is not None:
                progress(step, run.steps, loss)
            if checkpoint is not None and step % plan.steps_per_checkpoint == 0:
                checkpoint.write(run.state(step))
    if checkpoint is not None:
        checkpoint.write(run.state(step))
    module.train(mode=False)
    return run.average


class _Run:
    """A module, its optimiser, its schedule, and the average of its weights."""

    def __init__(
        self, module: "PreTrainedModel", plan: TrainingPlan, steps: int, device: str
    ) -> None:
        import torch

        self.module, self.plan, self.steps, self.device = module, plan, steps, device
        torch.nn.Module.to(module, device).train()
        self.parameters = dict(module.named_parameters())
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.optimiser = torch.optim.AdamW(_groups(self.parameters, plan), fused=True)

    def seed_dropout(self, seed: int, epoch: int) -> None:
        import torch

        torch.manual_seed(seed * 1_000 + epoch)

    def learn(self, examples: Examples, rows: Ints, step: int) -> float:
        """One step on the examples of these rows; the loss before it."""
        import torch

        inputs = _padded(examples, rows, self.module.config.pad_token_id or 0)
        with torch.autocast(device_type=self.device.split(":")[0], dtype=torch.bfloat16):
            output = self.module(**{name: t.to(self.device) for name, t in inputs.items()})
        each = torch.nn.functional.cross_entropy(
            output.logits.float(),
            torch.from_numpy(examples.labels[rows]).to(self.device),
            label_smoothing=self.plan.label_smoothing,
            reduction="none",
        )
        loss = (each * torch.from_numpy(examples.weights[rows]).to(self.device)).mean()
        for group in self.optimiser.param_groups:
            part = _warm_then_linear(step - 1, self.steps, self.plan.warmup_fraction)
            group["lr"] = group["highest_lr"] * part
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        self.optimiser.step()
        if step % _AVERAGED_EVERY == 0 or step == self.steps:
            self._carry_on_average(step)
        return float(loss.detach())

    def _carry_on_average(self, step: int) -> None:
        import torch

        kept = min(self.plan.averaging, step / (step + _WARM_AVERAGE)) ** _AVERAGED_EVERY
        now = [p.detach() for p in self.parameters.values()]
        torch._foreach_lerp_(list(self.average.values()), now, 1.0 - kept)

    def state(self, step: int) -> "dict[str, torch.Tensor]":
        """Everything that the steps to come depend on."""
        import torch

        tensors: dict[str, torch.Tensor] = {
            f"weights.{name}": p for name, p in self.parameters.items()
        }
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        for name, p in self.parameters.items():
            kept = self.optimiser.state[p]
            tensors |= {f"moments.{name}.{part}": kept[part] for part in ("exp_avg", "exp_avg_sq")}
        return {**tensors, "step": torch.tensor(step), "random": _random_state(self.device)}

    def restore(self, state: "Mapping[str, torch.Tensor] | None") -> int:
        """Takes over what `state` gave; how many steps were done."""
        import torch

        if state is None:
            return 0
        done = int(state["step"])
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(state[f"weights.{name}"])
                self.average[name].copy_(state[f"average.{name}"])
                moments = ("exp_avg", "exp_avg_sq")
                self.optimiser.state[p] = {
                    "step": torch.tensor(float(done)),
                    **{part: state[f"moments.{name}.{part}"].to(p.device) for part in moments},
                }
        _set_random_state(self.device, state["random"])
        return done


def _groups(
    parameters: "Mapping[str, torch.nn.Parameter]", plan: TrainingPlan
) -> "list[dict[str, object]]":
    """The optimiser's groups: a learning rate a layer, no decay of vectors."""
    layers = 1 + max(
        (int(found[1]) for found in map(_LAYER.search, parameters) if found), default=0
    )
    return [
        {
            "params": [p],
            "highest_lr": plan.learning_rate
            * plan.layer_decay ** (layers + 1 - _height(name, layers)),
            "weight_decay": plan.weight_decay if p.ndim > 1 else 0.0,
        }
        for name, p in parameters.items()
    ]


def _height(name: str, layers: int) -> int:
    """How far up the module a parameter is: embeddings 0, the layers 1 and up, then the head."""
    found = _LAYER.search(name)
    if found:
        return int(found[1]) + 1
    return 0 if "embeddings" in name else layers + 1


def _warm_then_linear(step: int, steps: int, warmup_fraction: float) -> float:
    warmup = max(1, int(steps * warmup_fraction))
    return min((step + 1) / warmup, max(0.0, (steps - step) / max(1, steps - warmup)))


def _padded(examples: Examples, rows: Ints, padding: int) -> "dict[str, torch.Tensor]":
    import torch

    width = max(len(examples.ids[i]) for i in rows)
    ids = np.full((len(rows), width), padding, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    types = np.zeros((len(rows), width), dtype=np.int64)
    for place, i in enumerate(rows):
        row = examples.ids[i]
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
        types[place, examples.second[i] : len(row)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: torch.from_numpy(values) for name, values in inputs.items()}


def _random_state(device: str) -> "torch.Tensor":
    import torch

    return torch.cuda.get_rng_state(device) if "cuda" in device else torch.get_rng_state()


def _set_random_state(device: str, state: "torch.Tensor") -> None:
    import torch

    if "cuda" in device:
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
