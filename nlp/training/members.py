"""Several members of a model, trained one after another or side by side."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.errors import ModelError
from nlp.training.checkpoints import Checkpoint
from nlp.training.encoders import classifier
from nlp.training.examples import Examples
from nlp.training.fitting import Progress, fit_member, steps_of
from nlp.training.plan import TrainingPlan

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess
    from multiprocessing.queues import Queue

    import torch

    Messages = Queue[tuple[int, int, float | None]]

__all__ = ["Task", "fitted"]

_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Task:
    """What the members have in common; the fingerprint names exactly this."""

    examples: Examples
    encoder: Path
    plan: TrainingPlan
    device: str
    fingerprint: str

    def checkpoint(self, work: Path, member: int) -> Checkpoint:
        """Where a member's unfinished state lies."""
        return Checkpoint(work / f"member-{member}.safetensors", f"{self.fingerprint}:{member}")

    def ends(self) -> list[int]:
        """The steps done in all when each member is, one after another.

        Raises:
            ModelError: a member has nothing to learn from.
        """
        steps = [steps_of(self.examples, self.plan, i) for i in range(self.plan.members)]
        if not all(steps):
            message = f"Member {steps.index(0)} sees no text: give it a share of some source."
            raise ModelError(message)
        return [*accumulate(steps)]

    def fit(
        self, member: int, work: Path | None, progress: Progress | None
    ) -> "dict[str, torch.Tensor]":
        """The member's weights."""
        with _one_thread():
            return fit_member(
                classifier(self.encoder, seed=self.plan.seed),
                self.examples,
                plan=self.plan,
                member=member,
                device=self.device,
                checkpoint=None if work is None else self.checkpoint(work, member),
                progress=progress,
            )


def fitted(
    task: Task, *, work: Path | None, processes: int, progress: Progress | None
) -> "list[dict[str, torch.Tensor]]":
    """The weights of each member; side by side they meet in the folder `work`.

    Raises:
        ModelError: several processes without a folder, or one of them failed.
    """
    count = task.plan.members
    if processes == 1 or count == 1:
        ends = task.ends()
        return [
            task.fit(member, work, _shifted(progress, before, ends[-1]))
            for member, before in enumerate([0, *ends[:-1]])
        ]
    if work is None:
        message = "Members that are trained side by side need a folder: give work."
        raise ModelError(message)
    for start in range(0, count, processes):
        _side_by_side(task, work, range(start, min(start + processes, count)), progress)
    found = []
    for member in range(count):
        state = task.checkpoint(work, member).read()
        if state is None:
            message = f"Member {member} left no weights in {work}."
            raise ModelError(message)
        found.append(_average(state))
    return found


def _average(state: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    inside = "average."
    return {k.removeprefix(inside): v for k, v in state.items() if k.startswith(inside)}


def _shifted(progress: Progress | None, by: int, of: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _, loss: progress(by + done, of, loss)


def _side_by_side(task: Task, work: Path, members: range, progress: Progress | None) -> None:
    context = multiprocessing.get_context("spawn")
    messages: Messages = context.Queue()
    running = {
        member: context.Process(target=_in_process, args=(task, member, work, messages))
        for member in members
    }
    for process in running.values():
        process.start()
    try:
        _follow(task, running, messages, progress)
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _follow(
    task: Task, running: "dict[int, SpawnProcess]", messages: "Messages", progress: Progress | None
) -> None:
    """Passes on progress until every member is done."""
    ends = [0, *task.ends()]
    before = ends[min(running)]
    done = dict.fromkeys(running, 0)
    waiting = set(running)
    while waiting:
        for member, step, loss in _received(messages):
            done[member] = step
            if loss is None:
                waiting.discard(member)
            elif progress is not None:
                progress(before + sum(done.values()), ends[-1], loss)
        for member in waiting:
            if running[member].exitcode not in (None, 0):
                message = f"The process that trained member {member} ended: see its error above."
                raise ModelError(message)


def _received(messages: "Messages") -> "Iterator[tuple[int, int, float | None]]":
    from queue import Empty

    try:
        yield messages.get(timeout=_PATIENCE_SECONDS)
    except Empty:
        return


def _in_process(task: Task, member: int, work: Path, messages: "Messages") -> None:
    last = 0

    def tell(done: int, _: int, loss: float) -> None:
        nonlocal last
        last = done
        messages.put((member, done, loss))

    task.fit(member, work, tell)
    messages.put((member, last, None))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in another order are other sums: one thread gives the same weights everywhere."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
