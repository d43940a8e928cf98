"""Customer features beside Polars, DuckDB and pandas: Parquet in, a row a customer out, all cores.

Order lines lie in order of time, of customers with random 64-bit keys; one line in twenty comes
back, and some of these within a day, which undoes them. Two questions, of all who bought: `rfm`
is how recently, how often and for how much, with the fifth of all customers that each is in;
`features` is all that orders tell (units, products, returns, discounts, the last 90 days, the
rhythm of orders). Each way runs in a process of its own, three times, and the best counts; all
must give the same. `bucketed` reads the same lines as the lake keeps them: sixteen files, each in
order of customer and time.

Run: python benchmarks/features.py [--rows N] [--peer PYTHON]  (a Python with Polars and DuckDB)
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from timing import best_of, in_own_process, machine

LINES_OF_A_CUSTOMER, LINES_OF_AN_ORDER, PRODUCTS, DAYS, SEED = 12, 3, 5_000, 730, 20260601
RETURNED, SOON, GUESTS = 0.05, 0.2, 0.1
AS_OF = datetime(2026, 1, 1)  # noqa: DTZ001
BUCKETS, RUNS = 16, 3
QUESTIONS = ("rfm", "features")
# What every way must agree in: sums over all customers, whole numbers exactly.
RFM = ("customers", "days", "orders", "revenue", "rfm", "orders_by_rfm")
FEATURES = (
    *("customers", "days", "tenure", "orders", "units", "products", "revenue", "returned_units"),
    *("orders_last_90_days", "revenue_last_90_days", "return_rate", "average_order"),
    *("discount_share", "mean_days", "sd_days"),
)
Sums = dict[str, float]


def main() -> None:
    given = _arguments()
    if given.way:
        print(json.dumps(_measured(given.way, given.folder, given.question)))
        return
    if given.folder:
        _write_lines(given.folder, given.rows)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own too: a child's peak memory is at least that of its parent.
        command = [sys.executable, __file__, "--folder", name, "--rows", str(given.rows)]
        subprocess.run(command, check=True)
        megabytes = (folder / "lines.parquet").stat().st_size / 1e6
        print(machine())
        for question in QUESTIONS:
            found = {
                way: in_own_process(
                    given.peer if way in _PEERS else sys.executable,
                    *(__file__, "--way", way, "--folder", name, "--question", question),
                )
                for way in WAYS
            }
            _show(question, found)
    print(f"\n{given.rows:,} order lines, {megabytes:.0f} MB of Parquet")
    print(", ".join(f"{way} {one['version']}" for way, one in found.items() if one["version"]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer", default=sys.executable, help="a Python with polars and duckdb")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--question", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_lines(folder: Path, rows: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED)
    keys = rng.integers(-(2**63), 2**63 - 1, max(1, rows // LINES_OF_A_CUSTOMER))
    sizes = rng.geometric(1 / LINES_OF_AN_ORDER, rows)
    order = np.repeat(np.arange(rows), sizes)[: rows - int(rows * RETURNED)]
    customer = (len(keys) * rng.random(order[-1] + 1) ** 2).astype(np.int64)
    microseconds = DAYS * 86_400 * 1_000_000
    ends = int(np.datetime64(AS_OF, "us").astype(np.int64))
    began = np.sort(rng.integers(ends - microseconds, ends, order[-1] + 1))
    price = rng.integers(100, 50_000, PRODUCTS)
    product, quantity = rng.integers(0, PRODUCTS, len(order)), rng.integers(1, 4, len(order))
    gross = quantity * price[product]
    sold = {
        "order": order,
        "customer": customer[order],
        "at": began[order],
        "product": product,
        "quantity": quantity,
        "discount": np.where(rng.random(len(order)) < 0.3, gross // 10, 0),
        "sale": np.ones(len(order), dtype=bool),
    }
    back = rng.choice(len(order), int(rows * RETURNED), replace=False)
    hours = np.where(rng.random(len(back)) < SOON, 23, 600) * rng.random(len(back))
    returned = {name: values[back] for name, values in sold.items()}
    returned["order"] = order[-1] + 1 + np.arange(len(back))
    returned["at"] = np.minimum(returned["at"] + (hours * 3600e6).astype(np.int64), ends)
    returned |= {"quantity": -returned["quantity"], "discount": -returned["discount"]}
    returned["sale"] = np.zeros(len(back), dtype=bool)
    every = {name: np.concatenate([values, returned[name]]) for name, values in sold.items()}
    by_time = np.argsort(every["at"], kind="stable")
    every = {name: values[by_time] for name, values in every.items()}
    is_guest = rng.random(len(keys)) < GUESTS
    table = pa.table(
        {
            "order_id": pa.array(np.char.mod("O%08d", every["order"])),
            "customer_key": keys[every["customer"]],
            "key_kind": np.where(is_guest[every["customer"]], "guest", "customer"),
            "ordered_at": every["at"].astype("datetime64[us]"),
            "product_id": pa.array(np.char.mod("P-%05d", every["product"])),
            "quantity": every["quantity"],
            "unit_price": price[every["product"]],
            "discount": every["discount"],
            "currency": np.full(len(by_time), "EUR"),
            "line_type": np.where(every["sale"], "sale", "return"),
        }
    )
    pq.write_table(table, folder / "lines.parquet", compression="zstd")
    key = table["customer_key"].to_numpy()
    by_key = np.lexsort((every["order"], every["at"], key))
    bucket = key[by_key] & (BUCKETS - 1)
    for number in range(BUCKETS):
        some = table.take(pa.array(by_key[bucket == number]))
        pq.write_table(some, folder / f"bucket-{number:02d}.parquet", compression="zstd")


def _measured(way: str, folder: Path, question: str) -> dict[str, Any]:
    measured, (sums, version) = best_of(RUNS, lambda: WAYS[way](folder, question))
    return {**measured, "sums": sums, "version": version}


def _ours(folder: Path, question: str) -> tuple[Sums, str]:
    return _of_files([folder / "lines.parquet"], question)


def _bucketed(folder: Path, question: str) -> tuple[Sums, str]:
    return _of_files(sorted(folder.glob("bucket-*.parquet")), question)


def _of_files(paths: list[Path], question: str) -> tuple[Sums, str]:
    import pandas as pd

    from gpu_pipeline.backend import Backend
    from gpu_pipeline.features import customer_features, customer_measures, rfm_scores
    from gpu_pipeline.orders import LINE_COLUMNS

    backend = Backend.choose("cpu")
    make = customer_measures if question == "rfm" else customer_features

    def made(path: Path) -> pd.DataFrame:
        lines = pd.read_parquet(path, columns=list(LINE_COLUMNS))
        return make(lines, AS_OF, backend)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pd.concat(pool.map(made, paths), ignore_index=True)
    if question == "rfm":
        found = found.assign(rfm=rfm_scores(found)["rfm"])
    renamed = found.rename(columns=_COLUMNS)
    return _sums(renamed.assign(orders_by_rfm=_by_rfm(renamed)), question), ""


_COLUMNS = {
    "days_since_last_order": "days",
    "tenure_days": "tenure",
    "mean_days_between_orders": "mean_days",
    "sd_days_between_orders": "sd_days",
}


def _by_rfm(frame: Any) -> Any:  # noqa: ANN401
    return frame["orders"] * frame["rfm"] if "rfm" in frame.columns else 0


def _sums(frame: Any, question: str) -> Sums:  # noqa: ANN401
    """The sums of a pandas or Polars frame."""
    names = RFM if question == "rfm" else FEATURES
    return {"customers": len(frame)} | {
        name: frame[name].sum().item() for name in names if name != "customers"
    }


def _pandas(folder: Path, question: str) -> tuple[Sums, str]:
    """As a user would write it, entry errors and all."""
    import pandas as pd

    lines = pd.read_parquet(folder / "lines.parquet")
    lines = lines[(lines["key_kind"] == "customer") & (lines["ordered_at"] <= AS_OF)]
    goods = ["customer_key", "product_id", "unit_price", "currency"]
    ordered = lines.sort_values(
        [*goods, "ordered_at", "quantity", "order_id", "discount"],
        ascending=[True] * 5 + [False, True, True],
    )
    group = ordered.groupby(goods, sort=False)
    after, time_after = group["quantity"].shift(-1), group["ordered_at"].shift(-1)
    soon = time_after - ordered["ordered_at"] <= pd.Timedelta(hours=24)
    undone = (ordered["quantity"] > 0) & (after == -ordered["quantity"]) & soon
    undoes = undone.groupby([ordered[name] for name in goods], sort=False).shift(1) == True  # noqa: E712
    lines = ordered[~undone & ~undoes]
    lines = lines.assign(amount=lines["quantity"] * lines["unit_price"] - lines["discount"])
    sales, returns = (lines[lines["line_type"] == kind] for kind in ("sale", "return"))
    sold, back = sales.groupby("customer_key"), returns.groupby("customer_key")
    table = pd.DataFrame({"orders": sold["order_id"].nunique()})
    day = pd.Timedelta(days=1)
    table["days"] = (pd.Timestamp(AS_OF) - sold["ordered_at"].max()) / day
    of_returns = back[["amount", "quantity"]].sum().reindex(table.index, fill_value=0)
    table["revenue"] = sold["amount"].sum() + of_returns["amount"]
    if question == "rfm":
        table["rfm"] = _rfm_of_ranks(table)
        return _sums(table.assign(orders_by_rfm=_by_rfm(table)), question), pd.__version__
    table["tenure"] = (pd.Timestamp(AS_OF) - sold["ordered_at"].min()) / day
    table["units"], table["products"] = sold["quantity"].sum(), sold["product_id"].nunique()
    table["returned_units"] = -of_returns["quantity"]
    table["return_rate"] = table["returned_units"] / table["units"].clip(lower=1)
    table["average_order"] = table["revenue"] / table["orders"]
    gross = (sales["quantity"] * sales["unit_price"]).groupby(sales["customer_key"]).sum()
    table["discount_share"] = sold["discount"].sum() / gross
    since = pd.Timestamp(AS_OF) - 90 * day
    recent = lines[lines["ordered_at"] > since].groupby("customer_key")["amount"].sum()
    table["revenue_last_90_days"] = recent.reindex(table.index, fill_value=0)
    began = sales.groupby(["customer_key", "order_id"])["ordered_at"].min().reset_index()
    began = began.sort_values(["customer_key", "ordered_at"])
    new = began[began["ordered_at"] > since].groupby("customer_key").size()
    table["orders_last_90_days"] = new.reindex(table.index, fill_value=0)
    pause = began.groupby("customer_key")["ordered_at"].diff() / day
    pauses = pause.groupby(began["customer_key"])
    table["mean_days"], table["sd_days"] = pauses.mean(), pauses.std()
    return _sums(table, question), pd.__version__


def _rfm_of_ranks(table: Any) -> Any:  # noqa: ANN401
    """Quintiles with ties together: the least value that k fifths do not exceed ends a class."""
    code = 0
    for name in ("days", "orders", "revenue"):
        at_most = table[name].rank(method="max")
        cuts = [table[name][5 * at_most >= k * len(table)].min() for k in range(1, 5)]
        below = sum((table[name] > cut).astype("int64") for cut in cuts)
        code = 10 * code + (5 - below if name == "days" else 1 + below)
    return code


_COUNTED = """
    WITH known AS (
        SELECT * FROM read_parquet($path)
        WHERE key_kind = 'customer' AND ordered_at <= $as_of AND line_type IN ('sale', 'return')
    ), returned AS (
        SELECT DISTINCT customer_key, product_id, unit_price, currency
        FROM known WHERE quantity < 0
    ), marked AS (
        SELECT *,
            quantity > 0 AND lead(quantity) OVER goods = -quantity
                AND lead(ordered_at) OVER goods <= ordered_at + INTERVAL 24 HOURS AS undone,
            quantity < 0 AND lag(quantity) OVER goods = -quantity
                AND ordered_at <= lag(ordered_at) OVER goods + INTERVAL 24 HOURS AS undoes
        FROM known SEMI JOIN returned USING (customer_key, product_id, unit_price, currency)
        WINDOW goods AS (PARTITION BY customer_key, product_id, unit_price, currency
            ORDER BY ordered_at, quantity DESC, order_id, discount)
    ), counted AS (
        SELECT * EXCLUDE (undone, undoes) FROM marked
        WHERE NOT coalesce(undone, false) AND NOT coalesce(undoes, false)
        UNION ALL
        SELECT * FROM known ANTI JOIN returned
        USING (customer_key, product_id, unit_price, currency)
    ), sales AS (SELECT * FROM counted WHERE line_type = 'sale'),
"""
_RFM = """
    measures AS (
        SELECT customer_key,
            epoch_us($as_of - max(ordered_at) FILTER (line_type = 'sale')) / 86400e6 AS days,
            count(DISTINCT order_id) FILTER (line_type = 'sale') AS orders,
            sum(quantity * unit_price - discount)::BIGINT AS revenue
        FROM counted GROUP BY customer_key HAVING orders > 0
    ), counts AS (
        SELECT count(*) OVER () AS n, days, count(*) OVER (ORDER BY days) AS d,
            orders, count(*) OVER (ORDER BY orders) AS o,
            revenue, count(*) OVER (ORDER BY revenue) AS r
        FROM measures
    ), cuts AS (
        SELECT k, min(days) FILTER (5 * d >= k * n) AS days_cut,
            min(orders) FILTER (5 * o >= k * n) AS orders_cut,
            min(revenue) FILTER (5 * r >= k * n) AS revenue_cut
        FROM counts, range(1, 5) AS fifths (k) GROUP BY k
    ), points AS (
        SELECT list(days_cut) AS d, list(orders_cut) AS o, list(revenue_cut) AS r FROM cuts
    )
    SELECT measures.*, 100 * (5 - len(list_filter(d, lambda x: x < days)))
        + 10 * (1 + len(list_filter(o, lambda x: x < orders)))
        + 1 + len(list_filter(r, lambda x: x < revenue)) AS rfm
    FROM measures, points
"""
_FEATURES = """
    totals AS (
        SELECT customer_key,
            epoch_us($as_of - max(ordered_at) FILTER (line_type = 'sale')) / 86400e6 AS days,
            epoch_us($as_of - min(ordered_at) FILTER (line_type = 'sale')) / 86400e6 AS tenure,
            count(DISTINCT product_id) FILTER (line_type = 'sale') AS products,
            sum(quantity) FILTER (line_type = 'sale') AS units,
            sum(quantity * unit_price - discount) AS revenue,
            coalesce(-sum(quantity) FILTER (line_type = 'return'), 0) AS returned_units,
            coalesce(sum(quantity * unit_price - discount) FILTER (
                ordered_at > $as_of - INTERVAL 90 DAYS), 0) AS revenue_last_90_days,
            sum(discount) FILTER (line_type = 'sale') / nullif(sum(quantity * unit_price)
                FILTER (line_type = 'sale'), 0) AS discount_share
        FROM counted GROUP BY customer_key HAVING units IS NOT NULL
    ), began AS (
        SELECT customer_key, order_id, min(ordered_at) AS began_at FROM sales
        GROUP BY customer_key, order_id
    ), pauses AS (
        SELECT customer_key, began_at,
            epoch_us(began_at - lag(began_at) OVER (PARTITION BY customer_key
                ORDER BY began_at)) / 86400e6 AS pause
        FROM began
    ), rhythm AS (
        SELECT customer_key, count(*) AS orders,
            count(*) FILTER (began_at > $as_of - INTERVAL 90 DAYS) AS orders_last_90_days,
            avg(pause) AS mean_days, stddev_samp(pause) AS sd_days
        FROM pauses GROUP BY customer_key
    )
    SELECT *, returned_units / greatest(units, 1) AS return_rate,
        revenue / orders AS average_order
    FROM totals JOIN rhythm USING (customer_key)
"""


def _duckdb(folder: Path, question: str) -> tuple[Sums, str]:
    import duckdb

    query = _COUNTED + (_RFM if question == "rfm" else _FEATURES)
    names = [name for name in (RFM if question == "rfm" else FEATURES) if name != "customers"]
    sums = ["sum(orders * rfm)" if name == "orders_by_rfm" else f"sum({name})" for name in names]
    with duckdb.connect() as connection:
        asked = {"path": str(folder / "lines.parquet"), "as_of": AS_OF}
        connection.execute(f"CREATE OR REPLACE TABLE found AS {query}", asked)
        # Names of ours, no values.
        (found,) = connection.execute(
            f"SELECT count(*), {', '.join(sums)} FROM found"  # noqa: S608
        ).fetchall()
    values = [float(value) if isinstance(value, float) else int(value) for value in found]
    return dict(zip(("customers", *names), values, strict=True)), duckdb.__version__


def _polars(folder: Path, question: str) -> tuple[Sums, str]:
    import polars as pl

    counted = _polars_counted(pl.scan_parquet(folder / "lines.parquet"))
    col = pl.col
    is_sale, day = col("line_type") == "sale", 86_400e6
    amount = col("quantity") * col("unit_price") - col("discount")
    last, first = (
        (AS_OF - getattr(col("ordered_at").filter(is_sale), end)()).dt.total_microseconds() / day
        for end in ("max", "min")
    )
    if question == "rfm":
        measures = (
            counted.group_by("customer_key")
            .agg(
                last.alias("days"),
                col("order_id").filter(is_sale).n_unique().cast(pl.Int64).alias("orders"),
                amount.sum().alias("revenue"),
            )
            .filter(col("orders") > 0)
            .collect(engine="streaming")
        )
        code = pl.lit(0, dtype=pl.Int64)
        for name in ("days", "orders", "revenue"):
            ranked = measures.select(col(name), col(name).rank("max").alias("at_most"))
            cuts = [
                ranked.filter(5 * col("at_most") >= k * len(measures))[name].min()
                for k in range(1, 5)
            ]
            below = pl.sum_horizontal((col(name) > cut).cast(pl.Int64) for cut in cuts)
            code = 10 * code + (5 - below if name == "days" else 1 + below)
        scored = measures.with_columns(code.alias("rfm"))
        scored = scored.with_columns((col("orders") * col("rfm")).alias("orders_by_rfm"))
        return _polars_sums(scored, question), pl.__version__
    since = datetime.fromtimestamp(AS_OF.timestamp() - 90 * 86_400)  # noqa: DTZ006
    is_recent = col("ordered_at") > since
    totals = counted.group_by("customer_key").agg(
        last.alias("days"),
        first.alias("tenure"),
        col("product_id").filter(is_sale).n_unique().alias("products"),
        is_sale.sum().alias("sales"),
        col("quantity").filter(is_sale).sum().alias("units"),
        amount.sum().alias("revenue"),
        (-col("quantity").filter(~is_sale).sum()).alias("returned_units"),
        amount.filter(is_recent).sum().alias("revenue_last_90_days"),
        (
            col("discount").filter(is_sale).sum()
            / (col("quantity") * col("unit_price")).filter(is_sale).sum()
        ).alias("discount_share"),
    )
    pause = (col("ordered_at").diff().dt.total_microseconds() / day).alias("pause")
    rhythm = (
        counted.filter(is_sale)
        .group_by("customer_key", "order_id")
        .agg(col("ordered_at").min())
        .sort("customer_key", "ordered_at")
        .with_columns(
            pl.when(col("customer_key") == col("customer_key").shift()).then(pause).alias("pause")
        )
        .group_by("customer_key")
        .agg(
            pl.len().cast(pl.Int64).alias("orders"),
            is_recent.sum().alias("orders_last_90_days"),
            col("pause").mean().alias("mean_days"),
            col("pause").std().alias("sd_days"),
        )
    )
    found = (
        totals.filter(col("sales") > 0)
        .join(rhythm, on="customer_key")
        .with_columns(
            (col("returned_units") / col("units").clip(lower_bound=1)).alias("return_rate"),
            (col("revenue") / col("orders")).alias("average_order"),
        )
        .collect(engine="streaming")
    )
    return _polars_sums(found, question), pl.__version__


def _polars_counted(lines: Any) -> Any:  # noqa: ANN401
    """The lines of customers that count, entry errors left out."""
    import polars as pl

    col, goods = pl.col, ["customer_key", "product_id", "unit_price", "currency"]
    known = lines.filter(
        (col("key_kind") == "customer")
        & (col("ordered_at") <= AS_OF)
        & col("line_type").is_in(["sale", "return"])
    )
    returned = known.filter(col("quantity") < 0).select(goods).unique()
    by_goods = [*goods, "ordered_at", col("quantity").neg(), "order_id", "discount"]
    near = known.join(returned, on=goods, how="semi").sort(by_goods)
    day = pl.duration(hours=24)
    same = pl.all_horizontal(col(name) == col(name).shift(-1) for name in goods)
    undone = (
        same
        & (col("quantity") > 0)
        & (col("quantity").shift(-1) == -col("quantity"))
        & (col("ordered_at").shift(-1) - col("ordered_at") <= day)
    ).fill_null(value=False)
    marked = near.with_columns(undone.alias("undone"))
    undoes = col("undone").shift(1).fill_null(value=False)
    kept = marked.filter(~col("undone") & ~undoes).drop("undone")
    return pl.concat([known.join(returned, on=goods, how="anti"), kept])


def _polars_sums(frame: Any, question: str) -> Sums:  # noqa: ANN401
    names = RFM if question == "rfm" else FEATURES
    return {"customers": len(frame)} | {
        name: frame[name].sum() for name in names if name != "customers"
    }


WAYS: dict[str, Callable[[Path, str], tuple[Sums, str]]] = {
    "ours": _ours,
    "bucketed": _bucketed,
    "duckdb": _duckdb,
    "polars": _polars,
    "pandas": _pandas,
}
_PEERS = ("duckdb", "polars")


def _show(question: str, found: Mapping[str, dict[str, Any]]) -> None:
    ours = found["ours"]
    for way, one in found.items():
        for name, wanted in ours["sums"].items():
            same = math.isclose(one["sums"][name], wanted, rel_tol=1e-9)
            if not (same if isinstance(wanted, float) else one["sums"][name] == wanted):
                message = f"{question}: {name} is {one['sums'][name]} by {way}, {wanted} by ours"
                raise SystemExit(message)
    print(f"\n{question}: {ours['sums']['customers']:,} customers, the same in every way\n")
    print(f"{'':<10}seconds  CPU seconds  peak MB  times as long as ours / bucketed")
    for way, one in found.items():
        ratios = [one["seconds"] / found[name]["seconds"] for name in ("ours", "bucketed")]
        print(
            f"{way:<10}{one['seconds']:7.2f}{one['cpu']:13.2f}{one['peak']:9,.0f}"
            f"{ratios[0]:12.2f} / {ratios[1]:.2f}"
        )


if __name__ == "__main__":
    main()
