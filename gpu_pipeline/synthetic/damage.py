"""Damage: rows that are not as they should be, and what is to become of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpu_pipeline.contracts import Contract
from gpu_pipeline.synthetic.columns import Ints, Mask, Rng
from gpu_pipeline.synthetic.delivery import Delivery, Feed
from gpu_pipeline.synthetic.identifiers import Planted, personalised, with_identifiers

Outcome: TypeAlias = Literal["accepted", "rejected", "duplicate", "conflict"]
BROKEN, PERSONAL = "broken", "personal"
_LATER_SHARE = 0.5  # of the copies: in a later day's file, where there is one
_NAMED_SHARE = 0.5  # of spoilt rows: an identifier stands in their text
_LONG_TEXT = "It works. " * 12_000
_MOJIBAKE = "GehÃ¤use schÃ¶n, TÃ¼r zu weit Â– naja."  # UTF-8 that was read as Latin-1


class Flaw(NamedTuple):
    """One kind of damage: the value that stands in these columns, and the check that this fails.

    A `duplicate` is a copy of a row, a `conflict` a copy in which only that value differs. A
    `broken` row has a field too many in CSV and is cut in JSON lines.
    """

    kind: str
    columns: tuple[str, ...] = ()
    value: str | None = None
    check: str = ""  # of the contract's rules; none where no rule looks at it

    @property
    def is_copy(self) -> bool:
        """Whether it adds a row."""
        return self.kind in ("duplicate", "conflict")

    def expected(self, of: Contract) -> tuple[Outcome, str | None]:
        """What is to become of such a row under a contract, and for which reason.

        Of a broken row the reason depends on the file, of a conflict it is the key's.
        """
        if self.kind == "duplicate":
            return "duplicate", None
        if self.kind == "conflict":
            return "conflict", None
        if self.kind == BROKEN:
            return "rejected", None
        if self.check == "reference":
            found = [one for one in of.references if self.columns[0] in one.columns]
            return "accepted", found[0].reason if found else None
        broken = [rule for rule in of.rules if rule.check == self.check]
        for rule in sorted(broken, key=lambda rule: rule.severity == "warn"):
            # A reason says first what is wrong: "delivered_at: before the day of ordered_at".
            if self.columns[0] in rule.reason.partition(":")[0].split(" or "):
                return "accepted" if rule.severity == "warn" else "rejected", rule.reason
        return "accepted", None


_COPY, _BROKEN = Flaw("duplicate"), Flaw(BROKEN)
_LONG_AGO = "1999-12-31T23:59:59Z"  # before any shop here opened
_FAR_OFF = "2099-12-31T23:59:59Z"
_ADDRESS, _PHONE = "anna.keller17@example.com", "+44 20 7946 0123"

FLAWS: Mapping[str, tuple[Flaw, ...]] = MappingProxyType(
    {
        "customers": (
            Flaw("missing", ("signed_up_at",), None, "required"),
            Flaw("time", ("updated_at",), "31.12.", "readable"),
            Flaw("enum", ("marketing_consent",), "perhaps", "readable"),
            Flaw("blank", ("customer_id",), "  ", "identified"),
            Flaw("sequence", ("updated_at",), _LONG_AGO, "compare"),
            _COPY,
            Flaw("conflict", ("country",), "XX"),
        ),
        "orders": (
            Flaw("missing", ("quantity",), None, "required"),
            Flaw("time", ("ordered_at",), "2026-02-30T25:61:00Z", "readable"),
            Flaw("enum", ("line_type",), "gift", "allowed"),
            Flaw("negative", ("unit_price",), "-49", "minimum"),
            Flaw("number", ("quantity",), "two", "readable"),
            _COPY,
            _BROKEN,
            Flaw("fraction", ("quantity",), "1.5", "readable"),
            Flaw("thousands", ("unit_price",), "1,299", "readable"),
            Flaw("infinite", ("discount",), "inf", "readable"),
            Flaw("currency", ("currency",), "euro", "pattern"),
            Flaw("blank", ("order_id",), "   ", "required"),
            Flaw(PERSONAL, ("order_id",), _ADDRESS, "impersonal"),
            Flaw("sequence", ("delivered_at",), _LONG_AGO, "compare"),
            Flaw("refund", ("refunded",), "99999999", "compare"),
            Flaw("future", ("delivered_at",), _FAR_OFF),
            Flaw("orphan", ("product_id",), "ZZZ-999", "reference"),
            Flaw("encoding", ("product_name",), _MOJIBAKE),
            Flaw("conflict", ("channel",), "kiosk"),
        ),
        "clickstream": (
            Flaw("missing", ("event_type",), None, "required"),
            Flaw("time", ("occurred_at",), "yesterday, 10 pm", "readable"),
            Flaw("enum", ("event_type",), "hover", "allowed"),
            _COPY,
            Flaw("blank", ("event_id",), " ", "required"),
            Flaw(PERSONAL, ("event_id",), _PHONE, "impersonal"),
            Flaw("nobody", ("customer_id", "visitor_id"), None, "identified"),
            Flaw("orphan", ("product_id",), "ZZZ-999", "reference"),
            Flaw("conflict", ("device",), "kiosk"),
            _BROKEN,
        ),
        "reviews": (
            Flaw("missing", ("product_id",), None, "required"),
            Flaw("time", ("created_at",), "last Tuesday", "readable"),
            Flaw("range", ("rating",), "11", "maximum"),
            Flaw("number", ("rating",), "five stars", "readable"),
            _COPY,
            _BROKEN,
            Flaw("oversized", ("text",), _LONG_TEXT, "length"),
            Flaw("encoding", ("text",), _MOJIBAKE),
            Flaw("conflict", ("language",), "xx"),
        ),
        "feedback": (
            Flaw("missing", ("text",), None, "required"),
            Flaw("negative", ("score",), "-1", "minimum"),
            Flaw("number", ("score",), "ten", "readable"),
            _COPY,
            _BROKEN,
        ),
        "social": (
            Flaw("missing", ("created_at",), None, "required"),
            Flaw("negative", ("reach",), "-5", "minimum"),
            Flaw(PERSONAL, ("product_id",), _ADDRESS, "impersonal"),
            _COPY,
            _BROKEN,
        ),
        "support": (
            Flaw("missing", ("case_id",), None, "required"),
            Flaw("time", ("sent_at",), "0000-00-00", "readable"),
            Flaw("sequence", ("resolved_at",), _LONG_AGO, "compare"),
            Flaw("orphan", ("order_id",), "O99999999", "reference"),
            _COPY,
            _BROKEN,
            Flaw("conflict", ("topic",), "other"),
        ),
        "inventory": (
            Flaw("missing", ("location",), None, "required"),
            Flaw("negative", ("on_hand",), "-3", "minimum"),
            Flaw("number", ("unit_cost",), "n/a", "readable"),
            _COPY,
            _BROKEN,
        ),
    }
)


def flaws_of(source: str, *, has_lines: bool) -> tuple[Flaw, ...]:
    """What may be wrong with a source's rows; Parquet has no lines that could be broken."""
    return tuple(one for one in FLAWS.get(source, ()) if has_lines or one.kind != BROKEN)


def damaged(delivery: Delivery, flaws: Sequence[Flaw], share: float, rng: Rng) -> Delivery:
    """The delivery with that share of its rows spoilt, at least one of each kind.

    No row is spoilt twice. A copy stands anywhere below its row, in the same file or, of half of
    them, in that of a later day.
    """
    count = len(delivery.feed)
    if share == 0 or not flaws or not count:
        return delivery
    total = min(count, max(len(flaws), round(share * count)))
    spoilt = rng.choice(count, total, replace=False)
    flaw = np.full(count, -1)
    for code, _ in enumerate(flaws):
        flaw[spoilt[code :: len(flaws)]] = code
    of_copies = np.isin(flaw, [code for code, one in enumerate(flaws) if one.is_copy])
    marked = replace(delivery, flaw=np.where(of_copies, -1, flaw))
    return _with_copies(_spoilt(marked, flaws, rng), flaws, np.flatnonzero(of_copies), flaw, rng)


def _spoilt(delivery: Delivery, flaws: Sequence[Flaw], rng: Rng) -> Delivery:
    """With the values of the flaws, and identifiers in half of the rows that are rejected."""
    feed, flaw = delivery.feed, delivery.flaw
    if feed.planted is not None:
        feed = _with_names(feed, (flaw >= 0) & (rng.random(len(feed)) < _NAMED_SHARE), rng)
    for code, one in enumerate(flaws):
        rows = flaw == code
        if rows.any() and not one.is_copy:
            feed = _with_value(feed, one, rows)
    return replace(delivery, feed=feed)


def _with_names(feed: Feed, rows: Mask, rng: Rng) -> Feed:
    """With an identifier in the text of those of these rows that have none."""
    planted = feed.planted
    if planted is None:
        return feed
    which = np.flatnonzero(rows & (planted.kind < 0))
    text = feed.table[planted.column].combine_chunks().take(pa.array(which))
    if planted.column == "text":
        text, added = with_identifiers((text,), rng, share=1.0)
    else:
        text, added = personalised(planted.column, text, rng, share=1.0)
    mask = np.zeros(len(feed), bool)
    mask[which] = True
    kind = planted.kind.copy()
    kind[which] = added.kind
    value = pc.replace_with_mask(planted.value, pa.array(mask), added.value)
    table = _replaced(feed.table, planted.column, mask, text)
    return replace(feed, table=table, planted=Planted(planted.column, kind, value))


def _with_value(feed: Feed, flaw: Flaw, rows: Mask) -> Feed:
    table, planted = feed.table, feed.planted
    for name in flaw.columns:
        table = _replaced(table, name, rows, pa.scalar(flaw.value, pa.string()))
    if planted is not None and (planted.column in flaw.columns or flaw.kind == BROKEN):
        kind = np.where(rows, -1, planted.kind)
        value = pc.if_else(pa.array(rows), None, planted.value)
        planted = Planted(planted.column, kind, value)
    return replace(feed, table=table, planted=planted)


def _replaced(table: pa.Table, name: str, rows: Mask, value: pa.Array | pa.Scalar) -> pa.Table:
    column = pc.replace_with_mask(table[name].combine_chunks(), pa.array(rows), value)
    return table.set_column(table.column_names.index(name), name, column)


def _with_copies(
    delivery: Delivery, flaws: Sequence[Flaw], original: Ints, flaw: Ints, rng: Rng
) -> Delivery:
    day = delivery.day[original]
    last = int(delivery.day[-1])
    later = (rng.random(len(original)) < _LATER_SHARE) & (day < last)
    day = np.where(later, rng.integers(day + 1, np.maximum(day + 2, last + 1)), day)
    # Anywhere in the file of that day, but below the row itself.
    start, stop = (np.searchsorted(delivery.day, day, side) for side in ("left", "right"))
    low = np.where(later, start, original + 1)
    before = rng.integers(low, np.maximum(low, stop), endpoint=True)
    by_place = np.argsort(before, kind="stable")
    original, before, day = original[by_place], before[by_place], day[by_place]

    place = before + np.arange(len(before))
    with_copies = delivery.take(np.insert(np.arange(len(delivery.day)), before, original))
    with_copies.day[place], with_copies.days_late[place] = day, 0
    with_copies.flaw[place] = flaw[original]
    feed = with_copies.feed
    for code, one in enumerate(flaws):
        rows = with_copies.flaw == code
        if one.kind == "conflict" and rows.any():
            feed = _with_value(feed, one, rows)
    return replace(with_copies, feed=feed)
