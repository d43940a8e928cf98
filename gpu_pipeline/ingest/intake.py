"""Intake: a landing file, block by block, to typed rows on their way to the lake."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from gpu_pipeline.backend import Frame
from gpu_pipeline.contracts import Contract
from gpu_pipeline.ingest.planning import LandingFile
from gpu_pipeline.ingest.reading import Block, read_blocks
from gpu_pipeline.ingest.rows import TypedRows, typed_rows
from gpu_pipeline.ingest.staging import Staging

__all__ = ["Intake", "take_in"]


@dataclass(frozen=True)
class Intake:
    """What a file brought: its rows, those rejected so far, and how many broke which rule.

    `redacted` counts the identifiers of people that were taken out of its texts, by kind; `first`
    and `last` are the event times of the rows that may be accepted, UTC, or None.
    """

    rows: int
    rejected: int
    failed: Mapping[str, int]
    redacted: Mapping[str, int]
    first: np.datetime64 | None
    last: np.datetime64 | None


def take_in(
    file: LandingFile,
    accepted: Staging,
    rejected: Staging,
    *,
    key: str,
    threads: int,
    block_share: float,
) -> Intake:
    """Leaves the file's typed rows in the staging folders."""
    found, backend = file.feed.found, accepted.backend

    def stage(number: int, block: Block) -> Intake:
        landed = Block(file.landed(block.table, key=key), block.lines, block.broken)
        typed = typed_rows(
            landed,
            found,
            file_no=file.file_no,
            key=key,
            time_zone=file.feed.time_zone,
            backend=backend,
        )
        name = f"{file.file_no:019d}-{number:06d}"
        accepted.put(name, typed.accepted)
        rejected.put(name, typed.rejected)
        return _told(block, typed, found)

    blocks = read_blocks(file.path, file.feed.dialect, share=block_share)
    return _summed(_each(stage, blocks, threads))


def _told(block: Block, typed: TypedRows, found: Contract) -> Intake:
    failed = Counter({rule.reason: count for rule, count in typed.failed.items()})
    failed.update(row.reason for row in block.broken)
    first, last = _span(typed.accepted, found)
    rows = len(block.lines) + len(block.broken)
    return Intake(rows, len(typed.rejected), failed, typed.redacted, first, last)


def _span(frame: Frame, found: Contract) -> tuple[np.datetime64, np.datetime64] | tuple[None, None]:
    if found.event_time is None or not len(frame):
        return None, None
    time = frame[found.event_time]
    return np.datetime64(str(time.min()), "us"), np.datetime64(str(time.max()), "us")


def _summed(parts: Iterable[Intake]) -> Intake:
    rows, rejected, times = 0, 0, list[np.datetime64]()
    failed, redacted = Counter[str](), Counter[str]()
    for part in parts:
        rows += part.rows
        rejected += part.rejected
        failed.update(part.failed)
        redacted.update(part.redacted)
        times += [time for time in (part.first, part.last) if time is not None]
    first, last = min(times, default=None), max(times, default=None)
    return Intake(rows, rejected, failed, redacted, first, last)


def _each(
    work: Callable[[int, Block], Intake], blocks: Iterator[Block], threads: int
) -> Iterator[Intake]:
    """The work on every block, on some threads; one more block is read ahead."""
    if threads == 1:
        yield from (work(number, block) for number, block in enumerate(blocks))
        return
    waiting: deque[Future[Intake]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for number, block in enumerate(blocks):
            waiting.append(pool.submit(work, number, block))
            if len(waiting) == threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
