"""Co-view pairs beside Polars and DuckDB: Parquet in, pairs with their measures out, on all cores.

One row a view: of a session (a random 64-bit id, eight views on average) and of one of ten
thousand products, the popular ones far more often. A pair of products counts once a session, and
pairs of fewer than MIN_COUNT sessions are left out. Each way runs in a process of its own, and
the best of RUNS counts; all must give the same pairs, baskets and measures.

Run: python benchmarks/related.py [--rows N] [--peer PYTHON]  (a Python that has Polars)
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

PRODUCTS, VIEWS_OF_A_SESSION, SEED = 10_000, 8, 20260601
MIN_COUNT, RUNS = 5, 2
COLUMNS = ["session_id", "product_id"]
PACKAGES = {"ours": "pandas", "duckdb": "duckdb", "polars": "polars"}
Sums = tuple[int, int, float, float]


def main() -> None:
    given = _arguments()
    if given.way:
        print(json.dumps(_measured(given.way, given.folder)))
        return
    if given.folder:
        _write_views(given.folder, given.rows)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own too: a child's peak memory is at least that of its parent.
        command = [sys.executable, __file__, "--folder", name, "--rows", str(given.rows)]
        subprocess.run(command, check=True)
        print(machine())
        size = (folder / "views.parquet").stat().st_size / 1e6
        print(f"{given.rows:,} views of {PRODUCTS:,} products, {size:.0f} MB of Parquet\n")
        found = by_ways(WAYS, __file__, name, {"polars": given.peer})
    _show(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--peer", help="a Python that has polars")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_views(folder: Path, rows: int) -> None:
    """Sessions that overlap in time: the views of one are not next to each other."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED)
    sizes = rng.geometric(1 / VIEWS_OF_A_SESSION, rows // VIEWS_OF_A_SESSION * 2)
    sessions = int(np.searchsorted(np.cumsum(sizes), rows)) + 1
    session = np.repeat(np.arange(sessions), sizes[:sessions])[:rows]
    order = np.argsort(session + rng.exponential(200, rows))
    ids = rng.integers(-(2**63), 2**63 - 1, sessions)
    # The more popular half of the views goes to a tenth of the products.
    product = (PRODUCTS * rng.random(rows) ** 3.3).astype(np.int64)
    names = pa.array([f"P-{number:06d}" for number in rng.permutation(PRODUCTS)])
    products = pa.DictionaryArray.from_arrays(pa.array(product[order]), names).cast(pa.string())
    table = pa.table({"session_id": ids[session[order]], "product_id": products})
    pq.write_table(table, folder / "views.parquet", compression="zstd")


def _measured(way: str, folder: Path) -> dict[str, Any]:
    measured, sums = best_of(RUNS, lambda: WAYS[way](folder / "views.parquet"))
    return {**measured, "sums": sums, "version": version(PACKAGES[way])}


def _ours(path: Path) -> Sums:
    import pandas as pd

    from gpu_pipeline.associations import pairs

    views = pd.read_parquet(path, columns=COLUMNS)
    found = pairs(views, basket="session_id", item="product_id", min_count=MIN_COUNT)
    squares = int((found["baskets"] ** 2).sum())
    return len(found), squares, float(found["confidence"].sum()), float(found["lift"].sum())


def _duckdb(path: Path) -> Sums:
    import duckdb

    query = """
        CREATE OR REPLACE TABLE pairs AS
        WITH held AS (SELECT DISTINCT session_id, product_id FROM read_parquet($path)),
        products AS (SELECT product_id, count(*) AS baskets FROM held GROUP BY product_id),
        counted AS (
            SELECT a.product_id, b.product_id AS related_product_id, count(*) AS baskets
            FROM held a JOIN held b
                ON a.session_id = b.session_id AND a.product_id < b.product_id
            GROUP BY ALL HAVING count(*) >= $least
        )
        SELECT c.*, c.baskets / a.baskets AS confidence,
            c.baskets / b.baskets AS reverse_confidence,
            c.baskets * (SELECT count(DISTINCT session_id) FROM held) / (a.baskets * b.baskets)
                AS lift
        FROM counted c JOIN products a ON a.product_id = c.product_id
            JOIN products b ON b.product_id = c.related_product_id
        ORDER BY c.baskets DESC, c.product_id, c.related_product_id
    """
    sums = "SELECT count(*), sum(baskets ** 2)::BIGINT, sum(confidence), sum(lift) FROM pairs"
    with duckdb.connect() as connection:
        connection.execute(query, {"path": str(path), "least": MIN_COUNT})
        ((rows, squares, confidence, lift),) = connection.execute(sums).fetchall()
    return int(rows), int(squares), float(confidence), float(lift)


def _polars(path: Path) -> Sums:
    import polars as pl

    held = pl.scan_parquet(path).unique()
    products = held.group_by("product_id").agg(pl.len().alias("of_product"))
    related = products.rename({"product_id": "related_product_id", "of_product": "of_related"})
    sessions = held.select(pl.col("session_id").n_unique().alias("sessions"))
    found = (
        held.join(held.rename({"product_id": "related_product_id"}), on="session_id")
        .filter(pl.col("product_id") < pl.col("related_product_id"))
        .group_by("product_id", "related_product_id")
        .agg(pl.len().cast(pl.Int64).alias("baskets"))
        .filter(pl.col("baskets") >= MIN_COUNT)
        .join(products, on="product_id")
        .join(related, on="related_product_id")
        .join(sessions, how="cross")
        .with_columns(
            (pl.col("baskets") / pl.col("of_product")).alias("confidence"),
            (pl.col("baskets") / pl.col("of_related")).alias("reverse_confidence"),
            (
                pl.col("baskets")
                * pl.col("sessions").cast(pl.Int64)
                / (pl.col("of_product").cast(pl.Int64) * pl.col("of_related").cast(pl.Int64))
            ).alias("lift"),
        )
        .sort("baskets", "product_id", "related_product_id", descending=[True, False, False])
        .collect(engine="streaming")
    )
    squares = int((found["baskets"] ** 2).sum())
    return len(found), squares, float(found["confidence"].sum()), float(found["lift"].sum())


WAYS: dict[str, Callable[[Path], Sums]] = {"ours": _ours, "duckdb": _duckdb, "polars": _polars}


def _show(found: dict[str, dict[str, Any]]) -> None:
    # Sums of floats depend on their order in the last digits; all else is exact.
    sums = {
        way: (*one["sums"][:2], *(f"{x:.9e}" for x in one["sums"][2:]))
        for way, one in found.items()
    }
    if len(set(sums.values())) > 1:
        message = f"The ways differ in pairs, squares, confidence or lift: {sums}"
        raise SystemExit(message)
    print(f"{sums['ours'][0]:,} pairs in {MIN_COUNT} sessions or more, the same in every way\n")
    print(f"{'':<16}seconds  CPU seconds  peak MB  times as long  times the memory")
    ours = found["ours"]
    for way, one in found.items():
        named = "ours" if way == "ours" else f"{way} {one['version']}"
        longer, larger = one["seconds"] / ours["seconds"], one["peak"] / ours["peak"]
        print(
            f"{named:<16}{one['seconds']:7.2f}{one['cpu']:13.2f}{one['peak']:9,.0f}"
            f"{longer:15.2f}{larger:18.2f}"
        )


if __name__ == "__main__":
    main()
