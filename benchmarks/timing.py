"""For all comparisons: the best of a few runs, a process for each way, the name of the machine."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["best_of", "by_ways", "in_own_process", "machine"]


def best_of(runs: int, work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """(the best seconds, CPU seconds and the peak of memory in MB, what the last run gave).

    The peak is that of the process: ask for one way in each.
    """
    seconds, processor, found = [], [], None
    for _ in range(runs):
        began, worked = time.perf_counter(), time.process_time()
        found = work()
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"seconds": min(seconds), "cpu": min(processor), "peak": peak}, found


def in_own_process(python: str, script: str, *arguments: str) -> Any:  # noqa: ANN401
    """What the script prints last, as JSON; what it says of its faults is shown."""
    command = [python, script, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def by_ways(
    ways: Iterable[str], script: str, folder: str, pythons: Mapping[str, str | None]
) -> dict[str, Any]:
    """What each way measures, in a process of its own; one whose Python is None is left out."""
    chosen = {way: pythons.get(way, sys.executable) for way in ways}
    return {
        way: in_own_process(python, script, "--way", way, "--folder", folder)
        for way, python in chosen.items()
        if python
    }


def machine() -> str:
    """Cores, processor and Python, in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    kind = names[0] if names else "unknown processor"
    cores, python = os.cpu_count(), platform.python_version()
    return f"{cores} x {kind} ({platform.machine()}), Python {python}"
