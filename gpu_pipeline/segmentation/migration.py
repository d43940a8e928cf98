"""Who moved from which segment to which between two runs."""

from collections.abc import Iterable, Mapping

import pandas as pd

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import contract

__all__ = ["NOWHERE", "moves", "segment_migration", "summed_moves"]

NOWHERE = -2  # the segment of those who had none then, or have none now
_FROM_NOWHERE, _TO_NOWHERE = "not there before", "no longer there"
_WAY = ["from_segment", "to_segment"]


def segment_migration(before: Frame, after: Frame) -> pd.DataFrame:
    """The columns of contract `segment_migration`, one row for each way that somebody went.

    Both frames have customer_key, once each, segment and name. Those who stayed have a row too,
    from a segment to itself. Newcomers come from `NOWHERE` (-2, "not there before"), who has left
    goes there (-2, "no longer there").
    """
    backend = Backend.of(after)
    counts = backend.to_pandas(moves(before, after))
    names = [_names(backend.to_pandas(_distinct(frame))) for frame in (before, after)]
    return summed_moves([counts], before=names[0], after=names[1])


def moves(before: Frame, after: Frame) -> Frame:
    """from_segment, to_segment and customers; those of parts of the customers add up.

    Both frames have customer_key, once each, and segment: all rows of some customers, such as a
    bucket's, on one device.
    """
    columns = ["customer_key", "segment"]
    both = before[columns].merge(
        after[columns], on="customer_key", how="outer", suffixes=("_before", "_after")
    )
    ways = both[["customer_key"]].assign(
        from_segment=both["segment_before"].fillna(NOWHERE).astype("int64"),
        to_segment=both["segment_after"].fillna(NOWHERE).astype("int64"),
    )
    counts = ways.groupby(_WAY, sort=True)[["customer_key"]].agg({"customer_key": "count"})
    return counts.reset_index().rename(columns={"customer_key": "customers"})


def summed_moves(
    parts: Iterable[pd.DataFrame], *, before: Mapping[int, str], after: Mapping[int, str]
) -> pd.DataFrame:
    """The columns of contract `segment_migration`, of what `moves` counted part by part.

    `before` and `after` are the names of the segments in both runs, by number.
    """
    table = pd.concat([pd.DataFrame(columns=[*_WAY, "customers"], dtype="int64"), *parts])
    table = table.groupby(_WAY)["customers"].sum().reset_index()
    then, now = {**before, NOWHERE: _FROM_NOWHERE}, {**after, NOWHERE: _TO_NOWHERE}
    whole = table.assign(
        from_name=[then[segment] for segment in table["from_segment"]],
        to_name=[now[segment] for segment in table["to_segment"]],
        share_of_from=table["customers"]
        / table.groupby("from_segment")["customers"].transform("sum"),
    )
    return whole[list(contract("segment_migration").names)]


def _distinct(frame: Frame) -> Frame:
    return frame[["segment", "name"]].drop_duplicates()


def _names(frame: pd.DataFrame) -> dict[int, str]:
    return {int(segment): name for segment, name in zip(*(frame[c] for c in frame), strict=True)}
