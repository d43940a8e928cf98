"""A compaction that kills itself at its n-th call to the system, in a process of its own.

The process is forked from a server that has imported everything and opened no table: Delta's
runtime does not survive a fork.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import deltalake  # noqa: F401  what a compaction imports when it runs, so that no child has to
import pyarrow.parquet  # noqa: F401
import pytest

from gpu_pipeline.backend import Backend
from gpu_pipeline.store import Lake, compact_tables

WATCHED = ("os.", "open", "fcntl.", "shutil.", "pathlib.", "glob.")


def compact_until(path: Path, *, call: int, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """Compacts all tables, and gives up all old files; says how many calls to the system it took.

    None if it was killed at the one of that number. Calls count from 1: number 0 is never reached.
    """
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    answer, answering = context.Pipe(duplex=False)
    process = context.Process(target=_compact, args=(path, call, answering))
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


def _compact(path: Path, call: int, answering: Connection) -> None:
    calls = 0

    def audit(name: str, _: tuple[object, ...]) -> None:
        nonlocal calls
        if name.startswith(WATCHED):
            calls += 1
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)

    lake = Lake(path, backend=Backend.choose("cpu"))
    sys.addaudithook(audit)
    with lake.writer() as writer:
        compact_tables(writer, lake.tables(), keep_days=0)
    answering.send(calls)
