"""A run that kills itself at its n-th call to the system, in a process of its own.

The process is forked from a server that has imported everything and opened no table: Delta's
runtime does not survive a fork.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import dask
import dask.dataframe
import deltalake  # noqa: F401  what the steps import when they run, so that no child has to
import pyarrow.parquet  # noqa: F401
import pytest
import sklearn.cluster
import sklearn.metrics  # noqa: F401

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.pipeline import code_digest, run
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake

code_digest("gpu_pipeline", "nlp")  # once for all children
WATCHED = ("os.", "open", "sqlite3.", "fcntl.", "shutil.", "pathlib.")


def run_until(config: Config, *, call: int, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """Runs all steps and says how many calls that took; None if killed at the one of that number.

    Calls count from 1: number 0 is never reached.
    """
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    answer, answering = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(config.lake, config.text_model, call, answering))
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


def _run(path: Path, text_model: Path, call: int, answering: Connection) -> None:
    calls = 0

    def audit(name: str, _: tuple[object, ...]) -> None:
        nonlocal calls
        if name.startswith(WATCHED):
            calls += 1
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)

    lake = Lake(path, backend=Backend.choose("cpu"))
    config = Config.load(lake=path, segments=3, horizon=7, text_model=text_model)
    sys.addaudithook(audit)
    with dask.config.set(scheduler="synchronous"):
        run(lake, STEPS, config)
    answering.send(calls)
