"""A rotation that kills itself at its n-th call to the system, in a process of its own.

The process is forked from a server that has imported everything and opened no table: Delta's
runtime does not survive a fork.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import deltalake  # noqa: F401  what a rotation imports when it runs, so that no child has to
import pyarrow.parquet  # noqa: F401
import pytest

from gpu_pipeline.backend import Backend
from gpu_pipeline.governance import rotate_key

WATCHED = ("os.", "open", "sqlite3.", "fcntl.", "shutil.", "pathlib.")


def rotate_until(path: Path, *, call: int, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """Rotates the lake's keys and says how many calls that took; None if killed at that one.

    Calls count from 1: number 0 is never reached.
    """
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    answer, answering = context.Pipe(duplex=False)
    process = context.Process(target=_rotate, args=(path, call, answering))
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


def _rotate(path: Path, call: int, answering: Connection) -> None:
    calls = 0

    def audit(name: str, _: tuple[object, ...]) -> None:
        nonlocal calls
        if name.startswith(WATCHED):
            calls += 1
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    rotate_key(path, backend=Backend.choose("cpu"))
    answering.send(calls)
