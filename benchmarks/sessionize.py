"""Sessions of click events beside DuckDB, Polars and Dask: Parquet in, Parquet out, on all cores.

The events lie in order of time, as landing files do, three customers with random 64-bit keys for
every hundred of them; half an hour ends a session. Each way runs in a process of its own, three
times (Dask once), and the best counts; all must give the same sessions. `ours` is
`gpu-pipeline sessionize`, `call` the function on a pandas frame, `bucketed` reads the same events
as the lake keeps them: sixteen files, each in order of customer and time.

Run: python benchmarks/sessionize.py [--rows N] [--peer PYTHON] [--only WAY …] [--memory SIZE]
(a Python that has duckdb, polars and dask)
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from timing import best_of, in_own_process, machine

EVENTS_PER_CUSTOMER, EVENTS_OF_A_VISIT, SECONDS_OF_A_PAUSE = 100 / 3, 8, 60
FIRST, DAYS, SEED = "2026-04-01", 60, 20260601
GAP_MICROSECONDS = 30 * 60 * 1_000_000
ROW_GROUP, BUCKETS, RUNS = 1 << 20, 16, 3
COLUMNS = ["customer_key", "occurred_at"]
RESULT = ["customer_key", "started_at", "ended_at", "events"]


def main() -> None:
    given = _arguments()
    if given.task:
        print(json.dumps(TASKS[given.task](given)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        ways = given.only or [way for way in WAYS if way not in given.skip]
        # In processes of their own too: a child's peak memory is at least that of its parent.
        _child(sys.executable, "make", given, folder)
        if "bucketed" in ways:
            _child(sys.executable, "bucket", given, folder)
        size = (folder / "events.parquet").stat().st_size / 1e6
        print(f"{given.rows:,} events, {size:,.0f} MB of Parquet")
        print(machine())
        found = {way: _way(way, given, folder) for way in ways}
    _show(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--peer", default=sys.executable, help="a Python that has the peers")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=[])
    parser.add_argument("--skip", nargs="+", choices=WAYS, default=[])
    parser.add_argument("--memory", default="2GB", help="for ours")
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    return parser.parse_args()


def _child(python: str, task: str, given: argparse.Namespace, folder: Path, way: str = "") -> Any:  # noqa: ANN401
    arguments = ["--task", task, "--folder", str(folder)]
    arguments += ["--rows", str(given.rows), "--memory", given.memory]
    arguments += ["--way", way] if way else []
    return in_own_process(python, __file__, *arguments)


def _way(way: str, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    python = given.peer if way in PEERS else sys.executable
    measured: dict[str, Any] = _child(python, "measure", given, folder, way)
    measured["sums"] = _child(sys.executable, "sum", given, folder, way)
    return measured


def _make(given: argparse.Namespace) -> None:
    """Writes the events, a row group of visits after the other."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED)
    keys = rng.integers(-(2**63), 2**63 - 1, int(given.rows / EVENTS_PER_CUSTOMER))
    windows = -(-given.rows // ROW_GROUP)
    edges = (
        np.datetime64(FIRST, "us")
        + np.timedelta64(DAYS * 86_400_000_000, "us") * np.arange(windows + 1) // windows
    )
    schema = pa.schema([("customer_key", pa.int64()), ("occurred_at", pa.timestamp("us"))])
    left = given.rows
    later = keys[:0], edges[:0].astype("int64")
    with pq.ParquetWriter(given.folder / "events.parquet", schema, compression="zstd") as file:
        for begin, end in zip(edges[:-1].astype("int64"), edges[1:].astype("int64"), strict=True):
            new = _visits(rng, keys, int(begin), int(end))
            key, at = (np.concatenate(pair) for pair in zip(later, new, strict=True))
            order = np.argsort(at, kind="stable")
            key, at = key[order], at[order]
            # Visits go on beyond the window in which they began.
            is_last = end == edges[-1].astype("int64")
            now = left if is_last else min(left, int(np.searchsorted(at, end)))
            file.write_table(pa.table([key[:now], at[:now].view("M8[us]")], schema=schema))
            left, later = left - min(now, len(at)), (key[now:], at[now:])


def _visits(rng: Any, keys: Any, begin: int, end: int) -> tuple[Any, Any]:  # noqa: ANN401
    """(whose, when) of all events of the visits that begin in this time."""
    import numpy as np

    # A few more than are needed: what is over the number of rows is left out at the end.
    sizes = rng.geometric(1 / EVENTS_OF_A_VISIT, int(1.02 * ROW_GROUP / EVENTS_OF_A_VISIT))
    pauses = rng.exponential(SECONDS_OF_A_PAUSE * 1e6, sizes.sum()).astype(np.int64)
    elapsed = np.cumsum(pauses)
    elapsed -= np.repeat(elapsed[np.cumsum(sizes) - sizes], sizes)
    began, who = rng.integers(begin, end, len(sizes)), rng.integers(0, len(keys), len(sizes))
    return np.repeat(keys[who], sizes), np.repeat(began, sizes) + elapsed


def _bucket(given: argparse.Namespace) -> None:
    """Writes the events bucket by bucket, each in order of customer and time."""
    import pyarrow as pa
    import pyarrow.compute as pac
    import pyarrow.parquet as pq

    for number in range(BUCKETS):
        mine = []
        for batch in pq.ParquetFile(given.folder / "events.parquet").iter_batches(ROW_GROUP):
            bucket = pac.bit_wise_and(batch["customer_key"], BUCKETS - 1)
            mine.append(batch.filter(pac.equal(bucket, number)))
        table = pa.Table.from_batches(mine).sort_by([(name, "ascending") for name in COLUMNS])
        pq.write_table(table, given.folder / f"bucket-{number:02d}.parquet", compression="zstd")


def _measure(given: argparse.Namespace) -> dict[str, Any]:
    way, target = WAYS[given.way], given.folder / given.way
    runs = 1 if given.way == "dask" else RUNS
    measured, _ = best_of(runs, lambda: way(given, target))
    names = ["pandas", "pyarrow", "dask"] if given.way == "dask" else [given.way]
    names = names if given.way in PEERS else ["numpy", "pandas", "pyarrow"]
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return {**measured, "versions": versions}


def _sum(given: argparse.Namespace) -> list[int]:
    """What the sessions of every way must agree in: how many, and a sum of a hash of each."""
    import numpy as np
    import pyarrow.parquet as pq

    sessions, total = 0, 0
    for path in _results(given.folder / given.way):
        for batch in pq.ParquetFile(path).iter_batches(ROW_GROUP, columns=RESULT):
            mixed = np.zeros(len(batch), dtype=np.uint64)
            for name in RESULT:
                values = batch[name].to_numpy()
                is_time = values.dtype.kind == "M"
                number = values.astype("M8[us]").view("int64") if is_time else values
                mixed = (mixed ^ number.astype("int64").view("uint64")) * np.uint64(
                    0x9E3779B97F4A7C15
                )
                mixed ^= mixed >> np.uint64(29)
            sessions, total = sessions + len(batch), total + int(mixed.sum(dtype=np.uint64))
    return [sessions, total % 2**64]


def _results(target: Path) -> Iterator[Path]:
    single = target.with_name(f"{target.name}.parquet")
    yield from [single] if single.exists() else sorted(target.glob("*.parquet"))


def _ours(given: argparse.Namespace, target: Path) -> None:
    from dask.utils import parse_bytes

    from gpu_pipeline.session_files import sessionize_file

    sessionize_file(
        given.folder / "events.parquet",
        target.with_name(f"{target.name}.parquet"),
        customer="customer_key",
        time="occurred_at",
        memory_bytes=parse_bytes(given.memory),
    )


def _call(given: argparse.Namespace, target: Path) -> None:
    import pandas as pd

    from gpu_pipeline.sessions import sessionize

    events = pd.read_parquet(given.folder / "events.parquet", columns=COLUMNS)
    sessionize(events).to_parquet(target.with_name(f"{target.name}.parquet"), index=False)


def _bucketed(given: argparse.Namespace, target: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import pandas as pd

    from gpu_pipeline.backend import Backend
    from gpu_pipeline.sessions import Columns, SessionRule, sessions_of

    backend, rule = Backend.choose("cpu"), SessionRule()
    target.mkdir(exist_ok=True)

    def of_bucket(path: Path) -> None:
        events = pd.read_parquet(path, columns=COLUMNS)
        found = sessions_of(events, Columns(), rule, backend, threads=1)
        backend.write_parquet(found, target / path.name, encodings=ENCODINGS)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(of_bucket, sorted(given.folder.glob("bucket-*.parquet"))))


# As the lake writes its parts.
ENCODINGS = {name: "PLAIN" for name in ("started_at", "ended_at", "session_id")}


def _duckdb(given: argparse.Namespace, target: Path) -> None:
    import duckdb

    query = f"""
        COPY (
            WITH marked AS (
                SELECT customer_key, occurred_at, coalesce(epoch_us(occurred_at) - epoch_us(
                    lag(occurred_at) OVER visitor) > {GAP_MICROSECONDS}, true)::INT AS is_first
                FROM read_parquet('{given.folder / "events.parquet"}')
                WINDOW visitor AS (PARTITION BY customer_key ORDER BY occurred_at)
            ), numbered AS (
                SELECT *, sum(is_first) OVER (
                    PARTITION BY customer_key ORDER BY occurred_at ROWS UNBOUNDED PRECEDING
                ) AS number
                FROM marked
            )
            SELECT customer_key, min(occurred_at) AS started_at, max(occurred_at) AS ended_at,
                count(*) AS events
            FROM numbered GROUP BY customer_key, number
        ) TO '{target}.parquet' (FORMAT parquet)
    """  # noqa: S608 - a number and paths of our own
    with duckdb.connect() as connection:
        connection.execute(query)


def _polars(given: argparse.Namespace, target: Path) -> None:
    import polars as pl

    at, key = pl.col("occurred_at"), pl.col("customer_key")
    is_first = (at.diff().dt.total_microseconds() > GAP_MICROSECONDS) | (key != key.shift())
    sessions = (
        pl.scan_parquet(given.folder / "events.parquet")
        .sort("customer_key", "occurred_at")
        .with_columns(is_first.fill_null(value=True).cum_sum().alias("number"))
        .group_by("number")
        .agg(
            key.first(),
            at.min().alias("started_at"),
            at.max().alias("ended_at"),
            pl.len().alias("events"),
        )
        .drop("number")
    )
    sessions.sink_parquet(target.with_name(f"{target.name}.parquet"), engine="streaming")


def _dask(given: argparse.Namespace, target: Path) -> None:
    import dask
    import dask.dataframe as dd
    import pandas as pd

    def sessions(events: pd.DataFrame) -> pd.DataFrame:
        events = events.sort_values(COLUMNS)
        pause = events["occurred_at"].diff() > pd.Timedelta(microseconds=GAP_MICROSECONDS)
        number = (pause | (events["customer_key"] != events["customer_key"].shift())).cumsum()
        found = events.groupby(number).agg(
            customer_key=("customer_key", "first"),
            started_at=("occurred_at", "min"),
            ended_at=("occurred_at", "max"),
            events=("occurred_at", "size"),
        )
        return found.reset_index(drop=True)

    with dask.config.set(scheduler="threads"):
        events = dd.read_parquet(given.folder / "events.parquet", columns=COLUMNS)
        events = events.repartition(npartitions=BUCKETS).shuffle("customer_key")
        meta = sessions(events._meta)
        events.map_partitions(sessions, meta=meta).to_parquet(target, write_index=False)


WAYS: dict[str, Callable[[argparse.Namespace, Path], None]] = {
    "ours": _ours,
    "call": _call,
    "bucketed": _bucketed,
    "duckdb": _duckdb,
    "polars": _polars,
    "dask": _dask,
}
PEERS = ("duckdb", "polars", "dask")
TASKS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "make": _make,
    "bucket": _bucket,
    "measure": _measure,
    "sum": _sum,
}


def _show(found: dict[str, dict[str, Any]]) -> None:
    sums = {way: tuple(one["sums"]) for way, one in found.items()}
    if len(set(sums.values())) > 1:
        message = f"The ways differ in how many sessions they find, or in which: {sums}"
        raise SystemExit(message)
    print(f"{next(iter(sums.values()))[0]:,} sessions, the same in every way\n")
    best = min((found[way]["seconds"] for way in PEERS if way in found), default=None)
    print(f"{'':<10}seconds  CPU seconds  peak MB  times as fast as the best peer")
    for way, one in found.items():
        ratio = f"{best / one['seconds']:12.2f}" if best is not None else " " * 12
        numbers = f"{one['seconds']:7.2f}{one['cpu']:13.2f}{one['peak']:9,.0f}"
        print(f"{way:<10}{numbers}{ratio}   {one['versions']}")


if __name__ == "__main__":
    main()
