"""A load in a process of its own that is killed after a while.

The process is forked from a server that has imported everything and opened no table: Delta's
runtime does not survive a fork.
"""

import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import dask
import dask.dataframe
import deltalake  # noqa: F401  what a load imports when it runs, so that no child has to
import pyarrow.parquet  # noqa: F401
import pytest

from gpu_pipeline.backend import Backend
from gpu_pipeline.ingest import ingest
from gpu_pipeline.store import Lake


def load_until(
    lake: Lake, folder: Path, *, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> float | None:
    """Loads the folder and says how many seconds that took; None if it was killed by then."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    answer, answering = context.Pipe(duplex=False)
    process = context.Process(target=_load, args=(lake.path, lake.key, folder, answering))
    process.start()
    answering.close()
    answer.recv()  # it begins now
    if not answer.poll(seconds):
        process.kill()
    try:
        took: float | None = answer.recv()
    except EOFError:
        took = None
    process.join()
    # A kill may still come between the answer and the end of the process.
    assert process.exitcode in ((0, -signal.SIGKILL) if took is not None else (-signal.SIGKILL,))
    return took


def _load(path: Path, key: str, folder: Path, answering: Connection) -> None:
    lake = Lake(path, backend=Backend.choose("cpu"), key=key)
    answering.send("ready")
    began = time.perf_counter()
    with dask.config.set(scheduler="sync"):
        ingest(lake, folder)
    answering.send(time.perf_counter() - began)
