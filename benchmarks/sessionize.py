"""Sessions of click events beside Polars and DuckDB: Parquet in, sessions out, on all cores.

The events lie in order of time, of 300,000 customers with random 64-bit keys, half an hour ends a
session. Each way runs in a process of its own, three times, and the best counts; all must give
the same sessions. `bucketed` reads the same events as the lake keeps them: sixteen files, each in
order of customer and time.

Run: python benchmarks/sessionize.py [--rows N] [--peer PYTHON]  (a Python that has Polars)
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CUSTOMERS, DAYS, EVENTS_OF_A_VISIT, SECONDS_OF_A_PAUSE, SEED = 300_000, 60, 8, 60, 20260601
GAP_MICROSECONDS = 30 * 60 * 1_000_000
BUCKETS, RUNS = 16, 3
COLUMNS = ["customer_key", "occurred_at"]
Sums = tuple[int, int, int, int]


def main() -> None:
    given = _arguments()
    if given.way:
        print(json.dumps(_measured(WAYS[given.way], given.folder)))
        return
    if given.folder:
        _write_events(given.folder, given.rows)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own too: a child's peak memory is at least that of its parent.
        command = [sys.executable, __file__, "--folder", name, "--rows", str(given.rows)]
        subprocess.run(command, check=True)
        print(f"Python {platform.python_version()} on {os.cpu_count()} x {platform.machine()}")
        print(f"{given.rows:,} events, {_megabytes(folder / 'events.parquet'):.0f} MB of Parquet\n")
        pythons = {"polars": given.peer}
        ways = [way for way in WAYS if pythons.get(way, sys.executable)]
        found = {
            way: _in_own_process(pythons.get(way, sys.executable), way, folder) for way in ways
        }
    _show(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peer", help="a Python that has polars")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_events(folder: Path, rows: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED)
    keys = rng.integers(-(2**63), 2**63 - 1, CUSTOMERS)
    sizes = rng.geometric(1 / EVENTS_OF_A_VISIT, rows // EVENTS_OF_A_VISIT * 2)
    visits = int(np.searchsorted(np.cumsum(sizes), rows)) + 1
    visit = np.repeat(np.arange(visits), sizes[:visits])[:rows]
    pauses = rng.exponential(SECONDS_OF_A_PAUSE * 1e6, rows).astype(np.int64)
    elapsed = np.cumsum(pauses)
    first = elapsed[np.searchsorted(visit, np.arange(visits))]
    began = rng.integers(0, DAYS * 86_400 * 1_000_000, visits)
    at = began[visit] + elapsed - first[visit]
    key = keys[rng.integers(0, CUSTOMERS, visits)][visit]
    order = np.argsort(at, kind="stable")
    times = at[order].astype("datetime64[us]")
    table = pa.table({"customer_key": key[order], "occurred_at": times})
    pq.write_table(table, folder / "events.parquet", compression="zstd")
    by_key = table.take(pa.array(np.lexsort((at[order], key[order]))))
    bucket = by_key["customer_key"].to_numpy() & (BUCKETS - 1)
    for number in range(BUCKETS):
        path = folder / f"bucket-{number:02d}.parquet"
        pq.write_table(by_key.filter(pa.array(bucket == number)), path, compression="zstd")


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def _measured(way: Callable[[Path], Sums], folder: Path) -> dict[str, Any]:
    seconds, processor = [], []
    for _ in range(RUNS):
        began, worked = time.perf_counter(), time.process_time()
        sums = way(folder)
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"seconds": min(seconds), "cpu": min(processor), "peak": peak, "sums": sums}


def _ours(folder: Path) -> Sums:
    import pandas as pd

    from gpu_pipeline.sessions import sessionize

    return _sums(sessionize(pd.read_parquet(folder / "events.parquet", columns=COLUMNS)))


def _bucketed(folder: Path) -> Sums:
    import pandas as pd

    from gpu_pipeline.backend import Backend
    from gpu_pipeline.sessions import Columns, SessionRule, sessions_of

    backend, rule = Backend.choose("cpu"), SessionRule()

    def of_bucket(path: Path) -> pd.DataFrame:
        events = pd.read_parquet(path, columns=COLUMNS)
        return sessions_of(events, Columns(), rule, backend, threads=1)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(of_bucket, sorted(folder.glob("bucket-*.parquet"))))
    return _sums(pd.concat(found))


def _sums(sessions: Any) -> Sums:  # noqa: ANN401
    """What the sessions of every way must agree in: how many, and sums over all of them."""
    started, ended = (sessions[name].astype("int64") for name in ("started_at", "ended_at"))
    squares = int((sessions["events"] ** 2).sum())
    lengths = int((ended - started).sum())
    return len(sessions), squares, lengths, int((started // 1_000_000).sum())


def _duckdb(folder: Path) -> Sums:
    import duckdb

    query = """
        CREATE OR REPLACE TABLE sessions AS
        WITH marked AS (
            SELECT customer_key, occurred_at, coalesce(epoch_us(occurred_at) - epoch_us(
                lag(occurred_at) OVER visitor) > $gap, true)::INT AS is_first
            FROM read_parquet($path)
            WINDOW visitor AS (PARTITION BY customer_key ORDER BY occurred_at)
        ), numbered AS (
            SELECT *, sum(is_first) OVER (
                PARTITION BY customer_key ORDER BY occurred_at ROWS UNBOUNDED PRECEDING) AS number
            FROM marked
        )
        SELECT customer_key, min(occurred_at) AS started_at, max(occurred_at) AS ended_at,
            count(*) AS events
        FROM numbered GROUP BY customer_key, number
    """
    sums = """
        SELECT count(*), sum(events ** 2)::BIGINT,
            sum(epoch_us(ended_at) - epoch_us(started_at))::BIGINT,
            sum(epoch_us(started_at) // 1000000)::BIGINT
        FROM sessions
    """
    with duckdb.connect() as connection:
        path = str(folder / "events.parquet")
        connection.execute(query, {"gap": GAP_MICROSECONDS, "path": path})
        (found,) = connection.execute(sums).fetchall()
    return tuple(int(value) for value in found)  # type: ignore[return-value]


def _polars(folder: Path) -> Sums:
    import polars as pl

    at, key = pl.col("occurred_at"), pl.col("customer_key")
    is_first = (at.diff().dt.total_microseconds() > GAP_MICROSECONDS) | (key != key.shift())
    sessions = (
        pl.scan_parquet(folder / "events.parquet")
        .sort("customer_key", "occurred_at")
        .with_columns(is_first.fill_null(value=True).cum_sum().alias("number"))
        .group_by("number")
        .agg(key.first(), at.min().alias("started_at"), at.max().alias("ended_at"), pl.len())
        .collect(engine="streaming")
    )
    started = sessions["started_at"].cast(pl.Int64)
    lengths = (sessions["ended_at"].cast(pl.Int64) - started).sum()
    squares = (sessions["len"].cast(pl.Int64) ** 2).sum()
    return len(sessions), int(squares), int(lengths), int((started // 1_000_000).sum())


WAYS: dict[str, Callable[[Path], Sums]] = {
    "ours": _ours,
    "bucketed": _bucketed,
    "duckdb": _duckdb,
    "polars": _polars,
}


def _in_own_process(python: str, way: str, folder: Path) -> dict[str, Any]:
    command = [python, __file__, "--way", way, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _show(found: dict[str, dict[str, Any]]) -> None:
    sums = {way: tuple(one["sums"]) for way, one in found.items()}
    if len(set(sums.values())) > 1:
        message = f"The ways differ in sessions, squares, lengths or starts: {sums}"
        raise SystemExit(message)
    print(f"{sums['ours'][0]:,} sessions, the same in every way\n")
    print(f"{'':<10}seconds  CPU seconds  peak MB  times as long as ours")
    for way, one in found.items():
        ratio = one["seconds"] / found["ours"]["seconds"]
        print(f"{way:<10}{one['seconds']:7.2f}{one['cpu']:13.2f}{one['peak']:9,.0f}{ratio:12.2f}")


if __name__ == "__main__":
    main()
