"""Work that kills itself at its n-th call to the system, in a process of its own.

The process is forked from a server that has imported everything and opened no table: Delta's
runtime does not survive a fork.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dask
import dask.dataframe
import deltalake  # noqa: F401  what the work imports when it runs, so that no child has to
import py3langid.langid  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytest
import sklearn.cluster
import sklearn.metrics  # noqa: F401
import transformers

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.governance import rotate_key
from gpu_pipeline.ingest import ingest
from gpu_pipeline.pipeline import code_digest, run
from gpu_pipeline.steps import STEPS, texts
from gpu_pipeline.steps.sessions import SESSIONS
from gpu_pipeline.store import Lake, compact_tables

__all__ = [
    "calls_until",
    "compaction",
    "load",
    "rotation",
    "run_of_all_steps",
    "sentiment",
    "sessions",
]

transformers.BertForSequenceClassification  # noqa: B018  is imported when it is asked for
code_digest("gpu_pipeline", "nlp")  # once for all children
WATCHED = ("os.", "open", "sqlite3.", "fcntl.", "shutil.", "pathlib.", "glob.")


def load(path: Path, key: str, folder: Path) -> None:
    """Loads the files of a folder."""
    ingest(Lake(path, backend=Backend.choose("cpu"), key=key), folder)


def run_of_all_steps(path: Path, text_model: Path) -> None:
    """Brings every table up to date."""
    config = Config.load(lake=path, segments=3, horizon=7, text_model=text_model)
    run(Lake(path, backend=Backend.choose("cpu")), STEPS, config)


def sessions(path: Path) -> None:
    """Brings the sessions up to date."""
    run(Lake(path, backend=Backend.choose("cpu")), [SESSIONS], Config.load(lake=path))


def sentiment(path: Path, text_model: Path) -> None:
    """Scores the texts that have no score, a piece at a time, each committed by itself."""
    texts._TEXTS_PER_COMMIT, texts._TEXTS_AT_ONCE = 1, {"cpu": 1, "gpu": 1}
    config = Config.load(lake=path, text_model=text_model)
    run(Lake(path, backend=Backend.choose("cpu")), [texts.SENTIMENT], config)


def rotation(path: Path) -> None:
    """Rotates the lake's keys."""
    rotate_key(path, backend=Backend.choose("cpu"))


def compaction(path: Path) -> None:
    """Compacts all tables and gives up all old files."""
    lake = Lake(path, backend=Backend.choose("cpu"))
    with lake.writer() as writer:
        compact_tables(writer, lake.tables(), keep_days=0)


def calls_until(
    call: int, work: Callable[..., object], *given: object, monkeypatch: pytest.MonkeyPatch
) -> int | None:
    """Does `work(*given)`, of this module, and says how many calls to the system that took.

    None if it was killed at the one of that number. Calls count from 1: 0 is never reached.
    """
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    answer, answering = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(call, answering, work, given))
    process.start()
    answering.close()
    try:
        calls: int = answer.recv()
    except EOFError:
        process.join()
        assert process.exitcode == -signal.SIGKILL
        return None
    process.join()
    # A kill may still come between the answer and the end of the process.
    assert process.exitcode in (0, -signal.SIGKILL)
    return calls


def _do(call: int, answering: Connection, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    calls = 0

    def audit(name: str, _: tuple[object, ...]) -> None:
        nonlocal calls
        if name.startswith(WATCHED):
            calls += 1
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    with dask.config.set(scheduler="synchronous"):
        work(*given)
    answering.send(calls)
