"""Serving: what the routes answer from, opened once and followed as it changes."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

from fastapi import Depends, Request

from api.assigning import Assigner
from api.batching import Batches
from api.schemas import ModelNote, SnapshotNote
from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.errors import LakeError
from gpu_pipeline.privacy import token
from gpu_pipeline.publish import Snapshot, current_version
from gpu_pipeline.store import Lake
from nlp.reading import Reader

__all__ = ["Published", "Serving", "ServingNow", "model_note", "serving_folder"]

LOOK_SECONDS = 0.5

logger = logging.getLogger(__name__)


def serving_folder(config: Config) -> Path:
    """Where the lake's published snapshots lie."""
    return config.lake / "serving"


def model_note(snapshot: Snapshot, kind: str) -> ModelNote | None:
    """Which model of the kind made what is published; None where none did."""
    model_id = snapshot.model_ids.get(kind)
    return None if model_id is None else ModelNote(kind=kind, id=model_id)


class Published:
    """The published snapshot, exchanged for the next one while requests read.

    The pointer is looked at when a request comes, at most every `LOOK_SECONDS`. A request keeps
    the snapshot that it began with; the last reader of a replaced one closes it.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._turn = threading.Lock()
        self._looked_at: float | None = None
        self._lease: _Lease | None = None
        self._fault: str | None = None

    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """The snapshot that is served now; it stays open while the context lasts.

        Raises:
            LakeError: nothing has been published yet, or nothing that can be read.
        """
        lease = self._begin()
        try:
            yield lease.snapshot
        finally:
            with self._turn:
                lease.readers -= 1
                lease.close_if_done()

    def note(self) -> SnapshotNote | None:
        """Which snapshot is served now; None before the first."""
        with self._turn:
            self._follow()
            return None if self._lease is None else SnapshotNote.of(self._lease.snapshot)

    def close(self) -> None:
        """Closes the snapshot, at once or with its last reader."""
        with self._turn:
            self._exchange(None)

    def _begin(self) -> "_Lease":
        with self._turn:
            self._follow()
            if self._lease is None:
                raise LakeError(self._fault)
            self._lease.readers += 1
            return self._lease

    def _follow(self) -> None:
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            served = self._lease.snapshot.version if self._lease else None
            if served is None or current_version(self._folder) != served:
                self._exchange(_Lease(Snapshot.open(self._folder)))
            self._fault = None
        except LakeError as error:
            # The one before is still served; that is worth a line in the log, but only one.
            if self._lease is not None and self._fault is None:
                logger.error("Still serving snapshot %s: %s", served, error)
            self._fault = str(error)

    def _exchange(self, fresh: "_Lease | None") -> None:
        old, self._lease = self._lease, fresh
        if old is not None:
            old.retired = True
            old.close_if_done()


class _Lease:
    """A snapshot and how many read it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.readers = 0
        self.retired = False

    def close_if_done(self) -> None:
        if self.retired and not self.readers:
            self.snapshot.close()


class Serving:
    """The published snapshot, the text model on its device, and the lake's pseudonym key."""

    def __init__(self, config: Config, reader: Reader) -> None:
        self._config = config
        self._keys: tuple[str, str] | None = None
        self._assigner: tuple[str, Assigner | None] | None = None
        self.published = Published(serving_folder(config))
        self.batches = Batches(reader.read)
        self.model_version = reader.version

    @classmethod
    async def open(cls, config: Config) -> Self:
        """Loads the model and reads once with it, so that the first request doesn't wait.

        Raises:
            ModelError: the model can't be used.
        """
        device = "cuda" if config.device == "gpu" else config.device
        serving = cls(config, await asyncio.to_thread(Reader.load, config.text_model, device))
        # The second one is in no common words: the model of languages is loaded too.
        await serving.batches.read(["How does this sound?", "Klingt gut"])
        return serving

    async def close(self) -> None:
        """Ends what waits, then lets go of the snapshot."""
        await self.batches.close()
        self.published.close()

    def customer_key(self, customer_id: str, snapshot: Snapshot) -> int:
        """The pseudonym under which the snapshot knows a raw customer id.

        Raises:
            LakeError: the lake's keys can't be had, or are being rotated.
        """
        return token(customer_id, key=self._key_of(snapshot.version), kind="customer")

    def assigner(self, snapshot: Snapshot) -> Assigner | None:
        """The model of segments that the snapshot was made with, read once for each snapshot."""
        known = self._assigner
        if known is None or known[0] != snapshot.version:
            self._assigner = known = (snapshot.version, Assigner.of(snapshot))
        return known[1]

    def _key_of(self, version: str) -> str:
        """The lake's keys, read anew for each snapshot: a rotation publishes one."""
        known = self._keys
        if known is None or known[0] != version:
            given = self._config.key.get_secret_value() if self._config.key else None
            lake = Lake(self._config.lake, backend=Backend.choose("cpu"), key=given)
            self._keys = known = (version, lake.key)
        return known[1]


async def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


ServingNow = Annotated[Serving, Depends(_serving)]
