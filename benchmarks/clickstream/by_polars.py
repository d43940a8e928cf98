"""The contender by hand in Polars: lazy until the whole file is needed at once.

That is for the keys, which may repeat anywhere, and to put each customer's rows together. Polars
has no keyed hash: distinct ids are hashed in Python and joined.
"""

from pathlib import Path

import polars as pl

from clickstream import rules
from clickstream.rules import Counts


def load(source: Path, folder: Path) -> Counts:
    """Leaves accepted rows by bucket and month in the folder, and a file of rejected ones."""
    checked = _checked(_read(source)).collect(engine="streaming")
    is_bad = checked["reasons"] != ""
    keyed = _keyed(_without_people(checked.filter(~is_bad)))
    kept, conflicts = _unique(keyed)
    bad = _keyed(_without_people(checked.filter(is_bad), rules.TEXTS))
    refused = [bad.drop("t"), conflicts.with_columns(reasons=pl.lit("key: another row has it"))]
    pl.concat(refused, how="diagonal").write_parquet(folder / "rejected.parquet")
    _write(kept, folder)
    rejected = bad.height + conflicts.height
    return Counts(kept.height, rejected, checked.height - rejected - kept.height)


def _read(source: Path) -> pl.LazyFrame:
    """The rows with their number and `t`, the time; texts trimmed, blank ones null."""
    if source.suffix == ".csv":
        names = dict.fromkeys([*rules.TEXTS, "occurred_at"], pl.String)
        rows = pl.scan_csv(source, schema_overrides=names, row_index_name="line")
        time = pl.col("occurred_at").str.to_datetime(time_unit="us", strict=False)
    else:
        rows = pl.scan_parquet(source, row_index_name="line")
        time = pl.col("occurred_at")
    text = pl.col(*rules.TEXTS).str.strip_chars()
    return rows.with_columns(
        pl.when(text != "").then(text), t=time, unread=pl.col("occurred_at").is_not_null()
    ).drop("occurred_at")


def _checked(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with their `reasons`, empty where nothing is wrong."""
    event_id, kind, time = pl.col("event_id"), pl.col("event_type"), pl.col("t")
    earliest = pl.lit(rules.EARLIEST).str.to_datetime(time_unit="us")
    faults = {
        "event_id: missing": event_id.is_null(),
        "occurred_at: missing": time.is_null() & ~pl.col("unread"),
        "occurred_at: no time": time.is_null() & pl.col("unread"),
        f"occurred_at: before {rules.EARLIEST}": time < earliest,
        "event_type: missing": kind.is_null(),
        "event_type: not allowed": ~kind.is_in(rules.KINDS),
        "customer_id, visitor_id: missing": pl.all_horizontal(pl.col(*rules.PEOPLE).is_null()),
    }
    for name in ("event_id", "product_id"):
        odd = pl.col(name).str.contains(rules.NO_CODE)
        faults[f"{name}: identifies a person"] = odd & pl.when(odd).then(
            pl.col(name).map_elements(rules.names_somebody, return_dtype=pl.Boolean)
        )
    for name, most in rules.LONGEST.items():
        faults[f"{name}: longer than {most}"] = pl.col(name).str.len_chars() > most
    said = [pl.when(fault).then(pl.lit(reason)) for reason, fault in faults.items()]
    return rows.with_columns(reasons=pl.concat_str(said, separator="; ", ignore_nulls=True)).drop(
        "unread"
    )


def _without_people(rows: pl.DataFrame, texts: tuple[str, ...] = rules.FREE_TEXTS) -> pl.DataFrame:
    """The rows with redacted texts; few distinct ones hold anything to redact."""
    for name in texts:
        if name in rules.PEOPLE:
            continue
        distinct = rows.select(pl.col(name).drop_nulls().unique()).to_series()
        suspect = distinct.filter(distinct.str.contains(rules.SUSPECT)).to_list()
        if suspect:
            clean = [rules.redacted(text) for text in suspect]
            rows = rows.with_columns(pl.col(name).replace(suspect, clean))
    return rows


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with pseudonyms in place of ids."""
    keyed = rows.lazy()
    for name, kind in rules.PEOPLE.items():
        ids = rows.select(pl.col(name).drop_nulls().unique()).to_series()
        made = pl.Series(rules.tokens(ids.to_list(), kind), dtype=pl.Int64)
        keyed = keyed.join(pl.LazyFrame({name: ids, f"{name}_key": made}), on=name, how="left")
    first, second = (f"{name}_key" for name in rules.PEOPLE)
    return (
        keyed.with_columns(
            customer_key=pl.coalesce(first, second),
            key_kind=pl.when(pl.col(first).is_not_null())
            .then(pl.lit("customer"))
            .when(pl.col(second).is_not_null())
            .then(pl.lit("visitor")),
        )
        .drop(first, second, *rules.PEOPLE)
        .with_columns(occurred_at="t")
        .collect()
    )


def _unique(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows to keep, rows whose key an earlier one has with other values)."""
    again = rows.filter(pl.col("event_id").is_duplicated()).sort("line")
    different = again.unique(rules.SAID, keep="first", maintain_order=True)
    first = different.unique("event_id", keep="first", maintain_order=True)
    kept = rows.join(again.select("line"), on="line", how="anti")
    conflicts = different.join(first.select("line"), on="line", how="anti")
    return pl.concat([kept, first]).select(*rules.SAID, "line"), conflicts.select(
        *rules.SAID, "line"
    )


def _write(rows: pl.DataFrame, folder: Path) -> None:
    placed = rows.with_columns(
        bucket=pl.col("customer_key") & rules.BUCKETS - 1,
        month=pl.col("occurred_at").dt.strftime("%Y-%m"),
    ).sort("bucket", "month", "customer_key", "occurred_at")
    parts = placed.partition_by("bucket", "month", as_dict=True, include_key=False)
    for (bucket, month), part in parts.items():
        path = folder / f"bucket={bucket}" / f"month={month}" / "part.parquet"
        path.parent.mkdir(parents=True)
        part.write_parquet(path, compression="zstd")
