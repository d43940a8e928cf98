"""The contender by hand in pandas, with a Pandera schema for the checks."""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from clickstream import rules
from clickstream.rules import Counts


def load(source: Path, folder: Path) -> Counts:
    """Leaves accepted rows by bucket and month in the folder, and a file of rejected ones."""
    rows = _read(source)
    reasons = _reasons(rows)
    is_bad = rows.index.isin(reasons.index)
    kept, conflicts = _unique(_keyed(rows[~is_bad], rules.FREE_TEXTS))
    bad = _keyed(rows[is_bad].assign(reasons=reasons), rules.TEXTS)
    rejected = pd.concat([bad, conflicts.assign(reasons="key: another row has it")])
    rejected.to_parquet(folder / "rejected.parquet", compression="zstd")
    _write(kept, folder)
    return Counts(len(kept), len(rejected), len(rows) - len(kept) - len(rejected))


def _read(source: Path) -> pd.DataFrame:
    """The rows with typed times; texts trimmed, blank ones null."""
    if source.suffix == ".csv":
        rows = pd.read_csv(source, dtype="str", engine="pyarrow")
        times = pd.to_datetime(rows["occurred_at"], format="ISO8601", errors="coerce")
        rows["occurred_at"] = times.astype("datetime64[us]")
    else:
        rows = pd.read_parquet(source)
    for name in rules.TEXTS:
        text = rows[name].str.strip()
        rows[name] = text.where(text != "", None)
    return rows.assign(line=rows.index)


def _reasons(rows: pd.DataFrame) -> "pd.Series[str]":
    """What is wrong with each row that breaks a rule, by its index."""
    try:
        anybody = rows["customer_id"].fillna(rows["visitor_id"])
        _schema().validate(rows.assign(anybody=anybody), lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        text = cases["column"].astype("str") + ": " + cases["check"].astype("str")
        return text.groupby(cases["index"].astype("int64")).agg(lambda some: "; ".join(set(some)))
    return pd.Series([], dtype="str", index=pd.Index([], dtype="int64"))


def _schema() -> pa.DataFrameSchema:
    impersonal = pa.Check(_is_impersonal, name="identifies a person")
    longest = {name: pa.Check.str_length(max_value=most) for name, most in rules.LONGEST.items()}
    earliest = pa.Check.ge(pd.Timestamp(rules.EARLIEST))
    return pa.DataFrameSchema(
        {
            "event_id": pa.Column("str", [longest["event_id"], impersonal]),
            "occurred_at": pa.Column("datetime64[us]", earliest),
            "event_type": pa.Column("str", pa.Check.isin(rules.KINDS)),
            "product_id": pa.Column("str", [longest["product_id"], impersonal], nullable=True),
            "channel": pa.Column("str", longest["channel"], nullable=True),
            "device": pa.Column("str", longest["device"], nullable=True),
            "anybody": pa.Column("str"),
        }
    )


def _is_impersonal(codes: "pd.Series[str]") -> "pd.Series[bool]":
    odd = codes.str.contains(rules.NO_CODE, regex=True, na=False)
    somebody = [code for code in codes[odd] if rules.names_somebody(code)]
    return ~codes.isin(somebody)


def _keyed(rows: pd.DataFrame, texts: tuple[str, ...]) -> pd.DataFrame:
    """The rows with pseudonyms in place of ids, and redacted texts."""
    for name in texts:
        if name not in rules.PEOPLE:
            distinct = pd.Series(rows[name].dropna().unique(), dtype="str")
            suspect = distinct[distinct.str.contains(rules.SUSPECT, regex=True)]
            if len(suspect):
                clean = dict(zip(suspect, map(rules.redacted, suspect), strict=True))
                rows = rows.assign(**{name: rows[name].map(clean).fillna(rows[name])})
    keys = {}
    for name, kind in rules.PEOPLE.items():
        ids = rows[name].dropna().unique()
        made = pd.Series(rules.tokens(ids, kind), index=ids, dtype="Int64")
        keys[kind] = rows[name].map(made)
    nobody = rows[[*rules.PEOPLE]].isna().all(axis=1)
    kinds = rows["customer_id"].isna().map({True: "visitor", False: "customer"})
    return rows.drop(columns=[*rules.PEOPLE]).assign(
        customer_key=keys["customer"].fillna(keys["visitor"]).fillna(0).astype("int64"),
        key_kind=kinds.astype("str").where(~nobody, None),
    )


def _unique(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows to keep, rows whose key an earlier one has with other values)."""
    again = rows["event_id"].duplicated(keep=False)
    different = rows[again].drop_duplicates([*rules.SAID])
    conflicts = different["event_id"].duplicated()
    return pd.concat([rows[~again], different[~conflicts]]), different[conflicts]


def _write(rows: pd.DataFrame, folder: Path) -> None:
    placed = rows[[*rules.SAID, "line"]].sort_values(["customer_key", "occurred_at"])
    bucket = placed["customer_key"] & rules.BUCKETS - 1
    month = placed["occurred_at"].dt.strftime("%Y-%m")
    for (number, name), part in placed.groupby([bucket, month], sort=False):
        path = folder / f"bucket={number}" / f"month={name}" / "part.parquet"
        path.parent.mkdir(parents=True)
        part.to_parquet(path, compression="zstd", index=False)
