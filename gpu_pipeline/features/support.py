"""Support: cases made of messages, and what came in and was settled day by day."""

from datetime import datetime

import numpy as np

from gpu_pipeline.backend import Backend, Frame, Series
from gpu_pipeline.contracts import contract
from gpu_pipeline.orders import business_day

__all__ = ["CASE_COLUMNS", "SUPPORT_COLUMNS", "support_cases", "support_daily"]

SUPPORT_COLUMNS = (
    *("message_id", "case_id", "customer_key", "key_kind", "product_id", "order_id"),
    *("opened_at", "sent_at", "resolved_at", "channel", "topic"),
)
CASE_COLUMNS = (
    *("case_id", "opened_at", "resolved_at", "hours_to_resolve"),
    *("channel", "topic", "intent", "mood"),
)
_CASE = ["customer_key", "case_id"]
_DAILY = ["day", "channel", "topic"]
_UNKNOWN = "unknown"
_MICROSECONDS_PER_HOUR = 3_600_000_000


def support_cases(messages: Frame, scores: Frame, as_of: datetime, backend: Backend) -> Frame:
    """The columns of contract `support_cases`, one row a case that was opened by `as_of`.

    `messages` (SUPPORT_COLUMNS) are those of whole customers; what was sent after `as_of` (UTC,
    without zone) is left out, and so is a resolution after it. `scores` has text_id, positive,
    negative and intent of scored messages, with or without others. Product, order, channel, topic,
    intent and mood are those of the message that opened the case, which begins with it at the
    latest. Rows are sorted by customer and case.
    """
    moment = np.datetime64(as_of, "us")
    sent = messages[messages["sent_at"] <= moment]
    if not len(sent):
        return backend.empty(contract("support_cases"))
    opened, resolved = sent["opened_at"], sent["resolved_at"]
    sent = sent.assign(
        opened_at=opened.where(opened < sent["sent_at"], sent["sent_at"]),
        resolved_at=resolved.where(resolved <= moment, None),
    )
    ordered = sent.sort_values([*_CASE, "sent_at", "message_id"])
    opening = ordered.drop_duplicates(subset=_CASE, keep="first").set_index(_CASE)
    of_case = ordered.groupby(_CASE, sort=True)
    scored = scores.assign(mood=scores["positive"] - scores["negative"]).set_index("text_id")
    table = backend.frames.DataFrame(
        {
            "opened_at": of_case["opened_at"].min(),
            "last_message_at": of_case["sent_at"].max(),
            "messages": of_case["message_id"].count(),
            "resolved_at": of_case["resolved_at"].max(),
        }
    )
    kept = ["key_kind", "product_id", "order_id", "channel", "topic", "message_id"]
    table = table.join(opening[kept]).reset_index()
    return backend.cast(
        table.assign(
            as_of=moment,
            is_open=table["resolved_at"].isna(),
            hours_to_resolve=_hours(table["opened_at"], table["resolved_at"]),
            intent=table["message_id"].map(scored["intent"]),
            mood=table["message_id"].map(scored["mood"]),
        ),
        contract("support_cases"),
    )


def support_daily(cases: Frame, backend: Backend, *, time_zone: str = "UTC") -> Frame:
    """The columns of contract `support_daily`: a row for each day, channel and topic with cases.

    `cases` has CASE_COLUMNS, and every case once. A day is one of the `time_zone`; a case counts
    as opened on one day and as resolved on another, each with what was known then. Rows are
    sorted by day, channel and topic.
    """
    named = cases.assign(
        channel=cases["channel"].fillna(_UNKNOWN), topic=cases["topic"].fillna(_UNKNOWN)
    )
    opened = named.assign(day=business_day(named["opened_at"], time_zone))
    resolved = named[named["resolved_at"].notna()]
    resolved = resolved.assign(day=business_day(resolved["resolved_at"], time_zone))
    came, went = opened.groupby(_DAILY, sort=True), resolved.groupby(_DAILY, sort=True)
    table = backend.frames.DataFrame(
        {
            "opened": came["case_id"].count(),
            "mood": came["mood"].mean(),
            "resolved": went["case_id"].count(),
            "mean_hours_to_resolve": went["hours_to_resolve"].mean(),
        }
    ).reset_index()
    table = table.sort_values(_DAILY, ignore_index=True)
    counts = table[["opened", "resolved"]].fillna(0).astype("int64")
    table = table.assign(opened=counts["opened"], resolved=counts["resolved"])
    left = table.assign(left=table["opened"] - table["resolved"])
    so_far = left.groupby(["channel", "topic"], sort=False)["left"].cumsum()
    return backend.cast(table.assign(open_cases=so_far), contract("support_daily"))


def _hours(since: Series, until: Series) -> Series:
    """Hours between two times; null where the second is."""
    passed = (until - since).astype("int64") / _MICROSECONDS_PER_HOUR
    return passed.where(until.notna(), None)
