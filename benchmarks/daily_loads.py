"""What one more day costs to load: into an empty lake, and on top of N days of history.

    python benchmarks/daily_loads.py [--days 4 40] [--customers 2000] [--repeats 3] [FOLDER]

A shop delivers a folder a day. For each N the command line loads day N + 1 into a new lake and
into a copy of the lake that has the N days before, in turns, in processes of their own; the
medians are printed as a Markdown table. What a process costs that loads nothing is taken off in
the last column.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from gpu_pipeline import Lake

COMMAND = Path(sys.executable).with_name("gpu-pipeline")


@dataclass(frozen=True)
class Cost:
    """What a call took; `cpu_seconds` is user and system time of the process."""

    wall_seconds: float
    cpu_seconds: float


def called(*words: str | Path) -> Cost:
    """What one call of the command line costs."""
    began = time.perf_counter()
    child = subprocess.Popen([COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    message = child.stderr.read().decode() if child.stderr is not None else ""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(message)
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)


def typical(costs: Sequence[Cost]) -> Cost:
    """The median of each."""
    return Cost(
        median(cost.wall_seconds for cost in costs), median(cost.cpu_seconds for cost in costs)
    )


def copied(lake: Path, to: Path) -> Path:
    """The lake and its key at another place."""
    if to.exists():
        shutil.rmtree(to)
    shutil.copytree(lake, to)
    shutil.copy2(f"{lake}.key", f"{to}.key")
    return to


def compared(day: Path, history: Path, folder: Path, repeats: int) -> tuple[Cost, Cost, Cost]:
    """(the day alone, the day after its history, the day once more: nothing to load)."""
    alone, after, again = [], [], []
    for number in range(repeats):
        fresh = folder / f"alone-{day.name}-{number}"
        Lake.create(fresh)
        alone.append(called("ingest", day, "--lake", fresh))
        grown = copied(history, folder / "grown")
        after.append(called("ingest", day, "--lake", grown))
        again.append(called("ingest", day, "--lake", fresh))
    return typical(alone), typical(after), typical(again)


def print_costs(folder: Path, histories: Sequence[int], customers: int, repeats: int) -> None:
    """A row for each length of history."""
    landing, lake = folder / "landing", folder / "lake"
    last = max(histories) + 1
    called(
        *("generate", landing, "--customers", str(customers), "--days", str(last + 1), "--daily")
    )
    days = sorted(path for path in landing.iterdir() if path.name[:1].isdigit())
    Lake.create(lake)
    print("| days before | files there | alone, CPU s | after, CPU s | ratio | wall | less start |")
    print("|---|---|---|---|---|---|---|")
    for number, day in enumerate(days[:last]):
        if number in histories:
            there = Lake(lake)
            files = sum(len(there.files(name)) for name in there.tables())
            alone, after, again = compared(day, lake, folder, repeats)
            start = again.cpu_seconds
            print(
                f"| {number} | {files:,} | {alone.cpu_seconds:.2f} | {after.cpu_seconds:.2f} | "
                f"{after.cpu_seconds / alone.cpu_seconds:.2f} | "
                f"{after.wall_seconds / alone.wall_seconds:.2f} | "
                f"{(after.cpu_seconds - start) / (alone.cpu_seconds - start):.2f} |",
                flush=True,
            )
        called("ingest", day, "--lake", lake)


def main() -> None:
    """Reads what is asked for and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--days", nargs="+", type=int, default=[4, 40])
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder if asked.folder is not None else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print_costs(folder, asked.days, asked.customers, asked.repeats)


if __name__ == "__main__":
    main()
