"""Batching: requests wait in a bounded queue and one thread, the device's owner, reads them."""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nlp.reading import Reading

__all__ = ["Batches", "Overloaded"]

Read = Callable[[Sequence[str]], Sequence[Reading]]

# Work is counted in characters; even an empty text costs some.
CHARACTERS_PER_TEXT = 50
BATCH_CHARACTERS = 64_000
WAITING_CHARACTERS_MAX = 1_000_000
RETRY_SECONDS_MAX = 60


class Overloaded(Exception):
    """The queue is full; it should have room after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"the queue is full, try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, eq=False)
class _Request:
    """Texts of one caller, how much work they are, and the future that takes their readings."""

    texts: Sequence[str]
    characters: int
    answer: "asyncio.Future[Sequence[Reading]]"

    def settle(self, result: "Sequence[Reading] | Exception") -> None:
        """Hands over the result, in the thread of the caller's event loop."""
        self.answer.get_loop().call_soon_threadsafe(_settle, self.answer, result)


class Batches:
    """Reads the texts of concurrent callers together, in the order in which they came.

    `read` runs on one thread of its own, with as many whole requests at a time as stay within
    `batch_characters`. Requests that wait beyond `waiting_characters_max` are refused; an empty
    queue takes any. A caller that is cancelled while it waits costs nothing.

    >>> batches = Batches(reader.read)  # doctest: +SKIP
    >>> await batches.read(["Love it!"])  # doctest: +SKIP
    """

    def __init__(
        self,
        read: Read,
        *,
        batch_characters: int = BATCH_CHARACTERS,
        waiting_characters_max: int = WAITING_CHARACTERS_MAX,
    ) -> None:
        self._read = read
        self._batch_characters = batch_characters
        self._waiting_characters_max = waiting_characters_max
        self._queue: deque[_Request] = deque()
        self._waiting_characters = 0
        self._changed = threading.Condition()
        self._closing = False
        self._seconds_per_character = 0.0
        self._thread = threading.Thread(target=self._run, name="device-owner", daemon=True)
        self._thread.start()

    async def read(self, texts: Sequence[str]) -> Sequence[Reading]:
        """What the texts say, one reading each.

        Raises:
            Overloaded: too many wait already.
        """
        characters = sum(CHARACTERS_PER_TEXT + len(text) for text in texts)
        request = _Request(texts, characters, asyncio.get_running_loop().create_future())
        self._enqueue(request)
        try:
            return await request.answer
        except asyncio.CancelledError:
            self._forget(request)
            raise

    async def close(self) -> None:
        """Returns once every waiting request has its readings and the thread has ended."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    def _enqueue(self, request: _Request) -> None:
        with self._changed:
            waiting = self._waiting_characters + request.characters
            if self._closing or (self._queue and waiting > self._waiting_characters_max):
                seconds = math.ceil(self._waiting_characters * self._seconds_per_character)
                raise Overloaded(min(max(seconds, 1), RETRY_SECONDS_MAX))
            self._queue.append(request)
            self._waiting_characters = waiting
            self._changed.notify()

    def _forget(self, request: _Request) -> None:
        with self._changed:
            if request in self._queue:
                self._queue.remove(request)
                self._waiting_characters -= request.characters

    def _run(self) -> None:
        while batch := self._next_batch():
            started = time.perf_counter()
            self._answer(batch)
            characters = sum(request.characters for request in batch)
            self._seconds_per_character = (time.perf_counter() - started) / characters

    def _next_batch(self) -> list[_Request]:
        """The next requests that go together; none once the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            batch: list[_Request] = []
            room = self._batch_characters
            while self._queue and (not batch or self._queue[0].characters <= room):
                batch.append(self._queue.popleft())
                room -= batch[-1].characters
            self._waiting_characters -= sum(request.characters for request in batch)
            return batch

    def _answer(self, batch: list[_Request]) -> None:
        try:
            readings = self._read([text for request in batch for text in request.texts])
        except Exception as error:  # noqa: BLE001 - it belongs to the callers
            if len(batch) == 1:
                batch[0].settle(error)
            else:
                # One bad request must not spoil the others.
                for request in batch:
                    self._answer([request])
            return
        start = 0
        for request in batch:
            request.settle(readings[start : start + len(request.texts)])
            start += len(request.texts)


def _settle(
    answer: "asyncio.Future[Sequence[Reading]]", result: Sequence[Reading] | Exception
) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
