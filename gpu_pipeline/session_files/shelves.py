"""Shelves: dealt events range by range, in memory until it is full, the rest in a file."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyarrow as pa

from gpu_pipeline.session_files.dealing import Dealt

__all__ = ["Shelves"]


class _Stretch(NamedTuple):
    """Bytes of the file that are a stream of Arrow's."""

    start: int
    length: int


class Shelves:
    """The rows of `count` ranges; those over `most_bytes` lie in a file at `path`.

    What lies there is Arrow's own format, uncompressed: written and read at the speed of memory.
    """

    def __init__(self, count: int, *, path: Path, most_bytes: int) -> None:
        self.path = path
        self.most_bytes = most_bytes
        self.bytes = [0] * count
        self.rows = 0
        self._held: list[Dealt] = []
        self._held_bytes = 0
        self._written: list[list[_Stretch]] = [[] for _ in range(count)]
        self._files = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held = []
        self._files.close()

    def put(self, dealt: Dealt) -> None:
        """More rows, behind those that are there."""
        rows, size = len(dealt.rows), dealt.nbytes
        self.rows += rows
        for number, (start, stop) in enumerate(pairwise(dealt.edges)):
            self.bytes[number] += (stop - start) * size // max(rows, 1)
        self._held.append(dealt)
        self._held_bytes += size
        if self._held_bytes > self.most_bytes:
            self._spill()

    def take(self, number: int) -> Iterator[pa.RecordBatch]:
        """The rows of a range, in the order in which they came."""
        if self._written[number]:
            with pa.OSFile(str(self.path)) as file:
                for stretch in self._written[number]:
                    file.seek(stretch.start)
                    yield from pa.ipc.open_stream(file.read_buffer(stretch.length))
        for dealt in self._held:
            if dealt.edges[number] < dealt.edges[number + 1]:
                yield dealt.of(number)

    def nothing(self) -> pa.RecordBatch:
        """No rows, where only such were put."""
        return self._held[0].of(0)

    def _spill(self) -> None:
        if not any(self._written):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._files.callback(self.path.unlink, missing_ok=True)
        schema = self._held[0].of(0).schema
        with pa.OSFile(str(self.path), "ab") as file:
            for number, written in enumerate(self._written):
                start = file.tell()
                with pa.ipc.new_stream(file, schema) as stream:
                    for dealt in self._held:
                        if dealt.edges[number] < dealt.edges[number + 1]:
                            stream.write_batch(dealt.of(number))
                written.append(_Stretch(start, file.tell() - start))
        self._held, self._held_bytes = [], 0
