"""Retail questions over a lake, answered by the library and by DuckDB's SQL, held to each other.

They are of the kinds that GPU-BDB asks of orders, returns, stock and clicks, put in our own words
over our own tables: nothing here is a result of that suite or of any TPC benchmark. Both ways read
the same lake. A shop is generated unless one is given; its sessions are made first.

Run: python benchmarks/retail_questions.py [--customers N] [--days N] [--lake FOLDER]
"""

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from retail.answers import ANSWERS

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.ingest import ingest
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps.sessions import SESSIONS
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import generate

SOURCE = (Path(__file__).parent / "retail" / "questions.sql").read_text()
QUESTIONS = dict(re.findall(r"^-- name: (\w+)\n(.*?;)$", SOURCE, flags=re.MULTILINE | re.DOTALL))
ASKED = ("orders", "clickstream", "products", "inventory", "promotions")
SEED, RUNS = 20260601, 2
PACKAGES = ("dask", "pandas", "duckdb")


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory() as name:
        backend = Backend.choose()
        lake = Lake(given.lake, backend=backend) if given.lake else _made(Path(name), given)
        versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
        machine = f"{os.cpu_count()} x {platform.machine()}, {backend.reason}"
        print(f"Python {platform.python_version()} on {machine}; {versions}")
        print(", ".join(f"{lake.rows(table):,} {table}" for table in (*ASKED, "sessions")), "\n")
        with backend.cluster():
            differ = [name for name in ANSWERS if not _compared(lake, name)]
    if differ:
        sys.exit(f"Answers differ: {', '.join(differ)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--lake", type=Path, help="one with sessions, instead of a made one")
    return parser.parse_args()


def _made(folder: Path, given: argparse.Namespace) -> Lake:
    generate(folder / "landing", customers=given.customers, days=given.days, seed=SEED)
    for file in (folder / "landing").iterdir():
        # Large sources come in numbered files.
        if file.is_file() and file.name.split(".")[0].split("-")[0] not in ASKED:
            file.unlink()
    lake = Lake.create(folder / "lake", buckets=4)
    with lake.backend.cluster():
        ingest(lake, folder / "landing")
        run(lake, (SESSIONS,), Config.load())
    return lake


def _compared(lake: Lake, name: str) -> bool:
    """Asks both ways and says what came of it."""
    found, seconds = _timed(lambda: ANSWERS[name](lake))
    wanted, of_sql = _timed(lambda: lake.sql(QUESTIONS[name]))
    difference = _difference(lake.backend.to_pandas(found), wanted)
    if name == next(iter(ANSWERS)):
        print(f"{'question':<36}    rows  equal  library s  DuckDB s")
    equal = "no" if difference else "yes"
    print(f"{name:<36}{len(found):8,}{equal:>7}{seconds:11.2f}{of_sql:10.2f}{difference}")
    return not difference


def _timed(ask: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame, float]:
    """The answer, and the best of the times that it took."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        answer = ask()
        seconds.append(time.perf_counter() - began)
    return answer, min(seconds)


def _difference(found: pd.DataFrame, wanted: pd.DataFrame) -> str:
    """What differs, in a line; nothing where both say the same."""
    found = found.reset_index(drop=True)
    try:
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=1e-9, atol=0)
    except AssertionError as error:
        return f"  {' '.join(str(error).split())[:150]}"
    return "" if len(found) else "  no rows: this lake can't tell"


if __name__ == "__main__":
    main()
