"""What happened in each session: counts, products, the way in, and whether a person was there."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.kernels import order_of, run_starts, segment_sums
from gpu_pipeline.sessions.events import COUNTED, Events
from gpu_pipeline.sessions.machines import Counts, machine_reasons
from gpu_pipeline.sessions.rule import SessionRule

__all__ = ["Piece", "attributes"]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some customers' events in order of (customer, time), and where their sessions lie.

    `rows` are their rows in the frame, `values` what is asked of each event; a session is from a
    start to its stop, in this order.
    """

    rows: Array
    customer: Array
    time: Array
    values: Mapping[str, Array]
    starts: Array
    stops: Array


def attributes(
    piece: Piece, events: Events, rule: SessionRule, backend: Backend
) -> dict[str, Array]:
    """By column, one entry a session; texts as codes, `excluded_for` as those of its reasons."""
    xp = backend.xp
    kind = piece.values["kind"]
    found = {
        name: segment_sums((kind == code).astype("int64"), piece.starts, xp)
        for code, name in enumerate(COUNTED, 1)
    }
    sizes = piece.stops - piece.starts
    session = xp.repeat(xp.arange(len(sizes)), sizes)
    if events.price is not None:
        is_paid = kind == 1 + list(COUNTED).index("purchases")
        paid = xp.where(is_paid, piece.values["price"], 0)
        found["revenue"] = segment_sums(paid, piece.starts, xp)
    if events.currency is not None:
        codes, known = piece.values["currency"], len(events.currency.texts)
        found["currency"] = xp.full(len(sizes), known)
        found["currency"][session[codes < known]] = 0  # the only one
    found["bounced"] = sizes == 1
    if events.product is not None:
        known = len(events.product.texts)
        found["products"] = _different(piece, session, known, xp)
    entry = xp.flatnonzero(piece.time == piece.time[piece.starts][session])
    for name, labels in events.entry.items():
        found[name] = _first(session[entry], labels.codes[piece.rows[entry]], xp)
    counts = Counts(
        events=sizes,
        views=found["views"],
        wanted=found["carts"] + found["checkouts"] + found["purchases"],
        microseconds=piece.time[piece.stops - 1] - piece.time[piece.starts],
        is_cut=_cut(piece, rule, xp),
    )
    found["excluded_for"] = machine_reasons(piece.time, piece.starts, counts, rule, xp)
    return found


def _different(piece: Piece, session: Array, known: int, xp: ModuleType) -> Array:
    """How many different products each session has; a null has the last code, `known`."""
    width = known + 1
    kind = xp.uint32 if len(piece.starts) * width < 1 << 32 else xp.int64
    # Sorted, sessions stay where they are: only the products within them are put in order.
    pairs = xp.sort((session * width + piece.values["product"]).astype(kind))
    is_new = xp.ones(len(pairs), dtype=bool)
    is_new[1:] = pairs[1:] != pairs[:-1]
    last = pairs[piece.stops - 1].astype(xp.int64)
    has_null = last - xp.arange(len(last)) * width == known
    return segment_sums(is_new.astype("int64"), piece.starts, xp) - has_null


def _first(session: Array, codes: Array, xp: ModuleType) -> Array:
    """The least code of each session; every session has one, and they come in order."""
    order = order_of([session, codes], xp)
    return codes[order][run_starts([session[order]], xp)]


def _cut(piece: Piece, rule: SessionRule, xp: ModuleType) -> Array:
    """Which sessions the next one follows without a pause."""
    is_cut = xp.zeros(len(piece.starts), dtype=bool)
    following, last = piece.starts[1:], piece.stops[:-1] - 1
    pause = piece.time[following] - piece.time[last]
    same = piece.customer[following] == piece.customer[last]
    is_cut[:-1] = same & (pause <= rule.gap_microseconds)
    return is_cut
