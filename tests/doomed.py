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
import pyarrow.parquet  # noqa: F401
import pytest
import sklearn.cluster
import sklearn.metrics  # noqa: F401

import gpu_pipeline.governance
import gpu_pipeline.ingest
import gpu_pipeline.steps  # noqa: F401
from gpu_pipeline.pipeline import code_digest

__all__ = ["calls_until"]

code_digest("gpu_pipeline", "nlp")  # once for all children
WATCHED = ("os.", "open", "sqlite3.", "fcntl.", "shutil.", "pathlib.")


def calls_until(
    call: int, work: Callable[..., object], *given: object, monkeypatch: pytest.MonkeyPatch
) -> int | None:
    """Does `work(*given)` and says how many calls that took; None if killed at that one.

    Calls count from 1: number 0 is never reached. `work` is a function of a module's own.
    """
    places = [Path(__file__).parent, Path(sys.modules[work.__module__].__file__ or "").parent]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, places)))
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
    assert process.exitcode == 0
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
