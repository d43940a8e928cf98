"""Commands called as a user types them, within the test's own process."""

import sys
from collections.abc import Callable

import pytest

from gpu_pipeline.cli import main

Command = Callable[..., tuple[int, str, str]]


def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls `gpu-pipeline` with words; gives its exit code, and what it wrote to both streams."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gpu-pipeline", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def without_progress(command: Command) -> Command:
    """The same, less the lines that tell how far it is."""

    def call(*words: object) -> tuple[int, str, str]:
        code, out, err = command(*words)
        said = [line for line in err.splitlines() if not line.startswith('{"at_seconds"')]
        return code, out, "\n".join(said)

    return call
