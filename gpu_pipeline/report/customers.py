"""What a lake says about customers: their kinds, what they will be worth, and who moved."""

import pandas as pd

from gpu_pipeline.money import minor_digits_of
from gpu_pipeline.store import Lake

__all__ = ["SHOWN_MOVES", "largest_moves", "told_segments", "worth_by_segment"]

SHOWN_MOVES = 5
_NOWHERE = -2  # of segment_migration: no segment then, or none now
_VALUES = ["customer_key", "expected_value", "churn_risk", "is_churning", "currency"]
_WORTH = ["name", "customers", "expected_value", "value_share", "churn_risk", "churning_share"]


def told_segments(profiles: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    """`segment_profiles` in order, amounts in major units, and `apart`: the traits in words."""
    unit = _minor_units(profiles["currency"])
    money = ["average_order", "revenue"]
    texts = traits.sort_values("rank").groupby("segment")["text"].agg("; ".join)
    told = profiles.assign(
        **profiles[money].div(unit, axis=0),
        apart=profiles["segment"].map(texts).fillna("").astype("str"),
    )
    return told.sort_values("segment", ignore_index=True)


def largest_moves(migration: pd.DataFrame) -> pd.DataFrame:
    """The largest groups that went from one segment to another, as in `segment_migration`."""
    stayed = migration["from_segment"] == migration["to_segment"]
    outside = (migration[["from_segment", "to_segment"]] == _NOWHERE).any(axis=1)
    moved = migration[~stayed & ~outside].sort_values(
        ["customers", "from_segment", "to_segment"], ascending=[False, True, True]
    )
    return moved.head(SHOWN_MOVES).reset_index(drop=True)


def worth_by_segment(lake: Lake) -> pd.DataFrame:
    """A row a segment, and a last one "all": what its customers may still bring.

    name; customers; expected_value, the mean in major units over the horizon of `customer_value`;
    value_share, of all that is expected; churn_risk, their mean chance of buying nothing by then;
    churning_share, of those who more likely buy nothing than something. No rows without values.
    """
    if lake.version("customer_value") is None or lake.version("customer_segments") is None:
        return pd.DataFrame(columns=_WORTH)
    parts = [_bucket_sums(lake, bucket) for bucket in range(lake.buckets)]
    sums = pd.concat(parts).groupby(level=0).sum()
    if not sums["customers"].sum():
        return pd.DataFrame(columns=_WORTH)
    names = lake.backend.to_pandas(lake.read("segment_profiles", ["segment", "name"]).compute())
    table = sums.join(names.set_index("segment"), how="inner")
    whole = table.drop(columns="name").sum().to_frame().T.assign(name="all")
    table = pd.concat([table, whole], ignore_index=True)
    return pd.DataFrame(
        {
            "name": table["name"],
            "customers": table["customers"].astype("int64"),
            "expected_value": table["value"] / table["customers"],
            "value_share": table["value"] / (whole["value"].iloc[0] or 1.0),
            "churn_risk": table["risk"] / table["customers"],
            "churning_share": table["churning"] / table["customers"],
        }
    )


def _bucket_sums(lake: Lake, bucket: int) -> pd.DataFrame:
    """customers, value (major units), risk and churning of a bucket's customers, by segment."""
    values = lake.read_bucket("customer_value", bucket, columns=_VALUES)
    segments = lake.read_bucket("customer_segments", bucket, columns=["customer_key", "segment"])
    both = lake.backend.to_pandas(values.merge(segments, on="customer_key"))
    measured = pd.DataFrame(
        {
            "customers": 1,
            "value": both["expected_value"] / _minor_units(both["currency"]),
            "risk": both["churn_risk"],
            "churning": both["is_churning"].astype("int64"),
        }
    )
    return measured.groupby(both["segment"]).sum()


def _minor_units(currencies: "pd.Series[str]") -> "pd.Series[float]":
    """How many minor units make one of each currency."""
    return 10.0 ** minor_digits_of(currencies)
