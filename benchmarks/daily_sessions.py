"""What one more day of clicks costs the step `sessions`: alone, after N days, and all anew.

    python benchmarks/daily_sessions.py [--days 10 40] [--events 200000] [--late 0.01] [FOLDER]

Visits of nine clicks; a share of each day's clicks comes late, by a day on the average and by up
to five weeks. Every day is a load of its own, and loads are compacted as ingest does. For each N
the step makes the sessions of day N + 1 in a process of its own: in a lake that has that day
alone, in one whose sessions were made day by day before, and there once more with everything made
anew. The last two must give the same tables. Medians are printed as a Markdown table.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from gpu_pipeline import Lake
from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.pipeline import StepReport, run
from gpu_pipeline.steps.sessions import SESSIONS
from gpu_pipeline.store import compact_if_fragmented

START = np.datetime64("2026-01-01", "us")
A_VISIT = 9  # clicks
HORIZON_DAYS = 35
KEY = "5e551045" * 8


@dataclass(frozen=True)
class Cost:
    """What a run of the step took; `cpu_seconds` is user and system time."""

    wall_seconds: float
    cpu_seconds: float


def day_of(number: int, events: int, late: float) -> pd.DataFrame:
    """The clicks that arrive on a day: who comes before midnight is seen after it."""
    midnight = START + np.timedelta64(number, "D")
    before, after = (visits_of(day, events, late) for day in (number - 1, number))
    before = before[before["occurred_at"] >= midnight]
    after = after[after["occurred_at"] < midnight + np.timedelta64(1, "D")]
    return pd.concat([before, after] if number else [after], ignore_index=True)


def visits_of(number: int, events: int, late: float) -> pd.DataFrame:
    """The clicks of visits that begin on a day, in columns of contract clickstream."""
    rng = np.random.default_rng(number + 1)
    visits = events // A_VISIT
    who = rng.integers(0, 30 * visits, visits).repeat(A_VISIT)
    begin = rng.integers(0, 86_400 * 10**6, visits)
    seconds = np.cumsum(rng.gamma(1.5, 30, (visits, A_VISIT)), axis=1).ravel()
    at = number * 86_400 * 10**6 + begin.repeat(A_VISIT) + (seconds * 1e6).astype("int64")
    # What comes late was done on a day before, none before the first.
    seconds = np.minimum(rng.exponential(86_400, len(at)), HORIZON_DAYS * 86_400)
    at -= np.where(rng.random(len(at)) < late, seconds * 1e6, 0).astype("int64")
    at = np.maximum(at, 0)
    kind = rng.choice(["view", "cart", "checkout", "purchase"], len(at), p=[0.8, 0.1, 0.05, 0.05])
    return pd.DataFrame(
        {
            "event_id": [f"e{number}-{place}" for place in range(len(at))],
            "customer_key": who * -7046029254386353131,
            "key_kind": "visitor",
            "occurred_at": START + at.astype("m8[us]"),
            "event_type": kind,
            "product_id": np.char.add("p", rng.integers(0, 500, len(at)).astype("U")),
            "channel": "direct",
            "device": "mobile",
            "price": np.where(kind == "purchase", 1999, 0),
            "currency": pd.Series(np.where(kind == "purchase", "EUR", None)),
            "file_no": number + 1,
            "line": np.arange(len(at)),
        }
    )


def load(lake: Lake, clicks: pd.DataFrame) -> None:
    """One more load."""
    found = contract("clickstream")
    with lake.writer() as writer:
        writer.commit(found, writer.write(lake.backend.cast(clicks, found), found))
        compact_if_fragmented(writer, found)


def new_lake(path: Path) -> Lake:
    """An empty one."""
    return Lake.create(path, backend=Backend.choose("cpu"), key=KEY)


def made(lake: Lake, *, anew: bool = False) -> StepReport:
    """Makes the sessions of a lake."""
    with lake.backend.cluster():
        (step,) = run(lake, [SESSIONS], Config.load(), from_step="sessions" if anew else None).steps
    return step


def make(path: Path, *, anew: bool) -> None:
    """Makes the sessions of a lake and prints what that took."""
    lake = Lake(path, backend=Backend.choose("cpu"))
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    step = made(lake, anew=anew)
    now = resource.getrusage(resource.RUSAGE_SELF)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(time.perf_counter() - began, cpu, step.facts["late"], step.facts["made"], sep="\t")


def measured(path: Path, *, anew: bool = False) -> tuple[Cost, int, str]:
    """(the cost of the sessions of a lake, events that came late, how they were made)."""
    words = [sys.executable, __file__, "--make", str(path), *(["--anew"] if anew else [])]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\t")
    return Cost(float(said[0]), float(said[1])), int(said[2]), said[3].strip()


def typical(costs: Sequence[Cost]) -> Cost:
    """The median of each."""
    return Cost(
        median(cost.wall_seconds for cost in costs), median(cost.cpu_seconds for cost in costs)
    )


def copied(lake: Path, to: Path) -> Path:
    """The lake at another place."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(lake, to)
    return to


def sessions(path: Path) -> pd.DataFrame:
    """The table, in order of its key."""
    frame = Lake(path, backend=Backend.choose("cpu")).read("sessions").compute()
    return frame.sort_values("session_id", ignore_index=True)


def print_costs(folder: Path, histories: Sequence[int], asked: argparse.Namespace) -> None:
    """A row for each length of history."""
    path = folder / "lake"
    lake = new_lake(path)
    print(
        "| days before | late | alone, CPU s | after, CPU s | anew, CPU s | after / alone | wall |"
    )
    print("|---|---|---|---|---|---|---|")
    for number in range(max(histories) + 1):
        clicks = day_of(number, asked.events, asked.late)
        if number in histories:
            costs: list[list[Cost]] = [[], [], []]
            for repeat in range(asked.repeats):
                alone = folder / f"alone-{number}-{repeat}"
                load(new_lake(alone), clicks)
                grown = copied(path, folder / "grown")
                load(Lake(grown, backend=lake.backend), clicks)
                cost, _, _ = measured(alone)
                costs[0].append(cost)
                cost, late, how = measured(grown)
                costs[1].append(cost)
                if how == "anew":
                    raise RuntimeError(how)
                found = sessions(grown)
                cost, _, _ = measured(grown, anew=True)
                costs[2].append(cost)
                pd.testing.assert_frame_equal(found, sessions(grown))
            one, after, anew = (typical(some) for some in costs)
            print(
                f"| {number} | {late:,} | {one.cpu_seconds:.2f} | {after.cpu_seconds:.2f} | "
                f"{anew.cpu_seconds:.2f} | {after.cpu_seconds / one.cpu_seconds:.2f} | "
                f"{one.wall_seconds:.2f}, {after.wall_seconds:.2f}, {anew.wall_seconds:.2f} |",
                flush=True,
            )
        load(lake, clicks)
        made(lake)


def main() -> None:
    """Reads what is asked for and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--days", nargs="+", type=int, default=[10, 40])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--late", type=float, default=0.01)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--anew", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make is not None:
        make(asked.make, anew=asked.anew)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder if asked.folder is not None else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print_costs(folder, asked.days, asked)


if __name__ == "__main__":
    main()
