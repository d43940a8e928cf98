"""A funnel of three steps beside Polars and DuckDB: Parquet in, counts by entry day out.

View, then cart, then purchase, within seven days of the view; a customer counts once for each day
of entry, with the view that leads farthest. The events lie in order of time, of customers with
random 64-bit keys and ten channels. Each way runs in a process of its own, three times, and the
best counts; all must give the same counts. `bucketed` reads the same events as the lake keeps
them: sixteen files, each in order of customer and time.

Run: python benchmarks/funnels.py [--rows N] [--peer PYTHON]  (a Python that has Polars)
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from timing import best_of, by_ways, machine

CUSTOMERS, DAYS, EVENTS_OF_A_VISIT, SECONDS_OF_A_PAUSE, SEED = 300_000, 60, 8, 60, 20260601
STEPS, WITHIN_DAYS = ("view", "cart", "purchase"), 7
KINDS = {"view": 0.78, "search": 0.1, "cart": 0.08, "purchase": 0.03, "remove": 0.01}
BUCKETS, RUNS = 16, 3
COLUMNS = ["customer_key", "occurred_at", "event_type"]
Counts = list[list[int]]


def main() -> None:
    given = _arguments()
    if given.way:
        print(json.dumps(_measured(given.way, given.folder)))
        return
    if given.folder:
        _write_events(given.folder, given.rows)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own too: a child's peak memory is at least that of its parent.
        command = [sys.executable, __file__, "--folder", name, "--rows", str(given.rows)]
        subprocess.run(command, check=True)
        megabytes = (folder / "events.parquet").stat().st_size / 1e6
        print(machine())
        print(f"{given.rows:,} events, {megabytes:.0f} MB of Parquet\n")
        found = by_ways(WAYS, __file__, name, {"polars": given.peer})
    _show(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
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
    elapsed = np.cumsum(rng.exponential(SECONDS_OF_A_PAUSE * 1e6, rows).astype(np.int64))
    first = elapsed[np.searchsorted(visit, np.arange(visits))]
    at = rng.integers(0, DAYS * 86_400 * 1_000_000, visits)[visit] + elapsed - first[visit]
    key = keys[rng.integers(0, CUSTOMERS, visits)][visit]
    kind = rng.choice(len(KINDS), rows, p=list(KINDS.values()))
    order = np.argsort(at, kind="stable")
    table = pa.table(
        {
            "customer_key": key[order],
            "occurred_at": at[order].astype("datetime64[us]"),
            "event_type": pa.DictionaryArray.from_arrays(kind[order], list(KINDS)).cast(
                pa.string()
            ),
        }
    )
    pq.write_table(table, folder / "events.parquet", compression="zstd")
    by_key = table.take(pa.array(np.lexsort((at[order], key[order]))))
    bucket = by_key["customer_key"].to_numpy() & (BUCKETS - 1)
    (folder / "lake").mkdir()
    for number in range(BUCKETS):
        path = folder / "lake" / f"{number:02d}.parquet"
        pq.write_table(by_key.filter(pa.array(bucket == number)), path, compression="zstd")


def _measured(name: str, folder: Path) -> dict[str, Any]:
    measured, counts = best_of(RUNS, lambda: WAYS[name](folder))
    package = {"polars": "polars", "duckdb": "duckdb"}.get(name, "numpy")
    return {**measured, "counts": counts, "version": version(package)}


def _ours(folder: Path) -> Counts:
    import pandas as pd

    from gpu_pipeline.funnels import funnel

    events = pd.read_parquet(folder / "events.parquet", columns=COLUMNS)
    return _rows(funnel(events, STEPS, within=f"{WITHIN_DAYS}d"))


def _bucketed(folder: Path) -> Counts:
    import dask.dataframe as dd

    from gpu_pipeline.backend import Backend
    from gpu_pipeline.funnels import funnel

    with Backend.choose("cpu").cluster():
        events = dd.read_parquet(folder / "lake", columns=COLUMNS, split_row_groups=False)
        return _rows(funnel(events, STEPS, within=f"{WITHIN_DAYS}d", whole_customers=True))


def _rows(found: Any) -> Counts:  # noqa: ANN401
    """Entries, carts and purchases of each day."""
    rows: Counts = found["reached"].to_numpy().reshape(-1, len(STEPS)).tolist()
    return rows


def _duckdb(folder: Path) -> Counts:
    import duckdb

    query = f"""
        WITH bought AS (
            SELECT customer_key, occurred_at, event_type, min(occurred_at)
                FILTER (event_type = 'purchase') OVER behind AS purchase_at
            FROM read_parquet(?) WHERE event_type IN {STEPS}
            WINDOW behind AS (PARTITION BY customer_key ORDER BY occurred_at
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
        ), carted AS (
            SELECT customer_key, occurred_at, event_type,
                min(occurred_at) FILTER (event_type = 'cart') OVER behind AS cart_at,
                min(purchase_at) FILTER (event_type = 'cart') OVER behind AS purchase_at
            FROM bought WHERE event_type <> 'purchase'
            WINDOW behind AS (PARTITION BY customer_key ORDER BY occurred_at
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
        ), journeys AS (
            SELECT customer_key, occurred_at::DATE AS entry_day,
                bool_or(coalesce(cart_at - occurred_at <= to_days({WITHIN_DAYS}), false)) AS carted,
                bool_or(coalesce(purchase_at - occurred_at <= to_days({WITHIN_DAYS}), false))
                    AS bought
            FROM carted WHERE event_type = 'view' GROUP BY ALL
        )
        SELECT count(*), count(*) FILTER (carted), count(*) FILTER (bought)
        FROM journeys GROUP BY entry_day ORDER BY entry_day
    """  # noqa: S608
    with duckdb.connect() as connection:
        found = connection.execute(query, [str(folder / "events.parquet")]).fetchall()
    return [list(row) for row in found]


def _polars(folder: Path) -> Counts:
    import polars as pl

    at, key, kind = pl.col("occurred_at"), pl.col("customer_key"), pl.col("event_type")

    def of_next(value: pl.Expr, step: str) -> pl.Expr:
        """The value on the customer's next event of the step, where it has one."""
        is_step = kind == step
        whose = pl.when(is_step).then(key).backward_fill()
        return pl.when(whose == key).then(pl.when(is_step).then(value).backward_fill())

    window, never = pl.duration(days=WITHIN_DAYS), pl.datetime(9999, 1, 1)
    journeys = (
        pl.scan_parquet(folder / "events.parquet")
        .filter(kind.is_in(STEPS))
        .sort("customer_key", "occurred_at")
        .with_columns(purchase_at=of_next(at, "purchase"))
        .filter(kind != "purchase")
        .with_columns(
            cart_at=of_next(at, "cart"),
            bought_at=of_next(pl.col("purchase_at").fill_null(never), "cart"),
        )
        .filter(kind == "view")
        .group_by("customer_key", entry_day=at.dt.date())
        .agg(
            carted=(pl.col("cart_at") - at <= window).fill_null(value=False).any(),
            bought=(pl.col("bought_at") - at <= window).fill_null(value=False).any(),
        )
    )
    found = (
        journeys.group_by("entry_day")
        .agg(pl.len(), pl.col("carted").sum(), pl.col("bought").sum())
        .sort("entry_day")
        .collect(engine="streaming")
    )
    return [list(row[1:]) for row in found.rows()]


WAYS: dict[str, Callable[[Path], Counts]] = {
    "ours": _ours,
    "bucketed": _bucketed,
    "duckdb": _duckdb,
    "polars": _polars,
}


def _show(found: dict[str, dict[str, Any]]) -> None:
    counts = {way: one["counts"] for way, one in found.items()}
    differing = [way for way, one in counts.items() if one != counts["ours"]]
    if differing:
        message = f"Other counts than ours: {', '.join(differing)}"
        raise SystemExit(message)
    sums = [sum(row[step] for row in counts["ours"]) for step in range(len(STEPS))]
    said = ", ".join(f"{name} {count:,}" for name, count in zip(STEPS, sums, strict=True))
    print(f"{len(counts['ours'])} days: {said}; the same in every way\n")
    print(f"{'':<18}seconds  CPU seconds  peak MB  times as long as ours")
    for way, one in found.items():
        ratio = one["seconds"] / found["ours"]["seconds"]
        name = way if way in ("ours", "bucketed") else f"{way} {one['version']}"
        print(f"{name:<18}{one['seconds']:7.2f}{one['cpu']:13.2f}{one['peak']:9,.0f}{ratio:12.2f}")


if __name__ == "__main__":
    main()
