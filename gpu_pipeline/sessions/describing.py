"""What happened in each session: counts, products, the way in, and whether a person was there."""

from dataclasses import dataclass
from types import ModuleType

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.kernels import order_of, run_starts, segment_sums
from gpu_pipeline.sessions.events import Events
from gpu_pipeline.sessions.machines import Counts, machine_reasons
from gpu_pipeline.sessions.rule import SessionRule

__all__ = ["Piece", "attributes"]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some customers' events in order of (customer, time), and where their sessions lie.

    `rows` are their rows in the frame; a session is from a start to its stop, in this order.
    """

    rows: slice | Array
    customer: Array
    time: Array
    starts: Array
    stops: Array


def attributes(
    piece: Piece, events: Events, rule: SessionRule, backend: Backend
) -> dict[str, Array]:
    """By column, one entry a session; texts as codes, `excluded_for` as those of its reasons."""
    xp = backend.xp
    found = {
        name: segment_sums(is_kind[piece.rows].astype("int64"), piece.starts, xp)
        for name, is_kind in events.kinds.items()
    }
    sizes = piece.stops - piece.starts
    found["bounced"] = sizes == 1
    session = xp.repeat(xp.arange(len(sizes)), sizes)
    if events.product is not None:
        codes, known = events.product.codes[piece.rows], len(events.product.texts)
        found["products"] = _different(session, codes, known, len(sizes), backend)
    is_entry = piece.time == piece.time[piece.starts][session]
    for name, labels in events.entry.items():
        codes = labels.codes[piece.rows]
        found[name] = _first(session[is_entry], codes[is_entry], xp)
    counts = Counts(
        events=sizes,
        views=found["views"],
        wanted=found["carts"] + found["checkouts"] + found["purchases"],
        microseconds=piece.time[piece.stops - 1] - piece.time[piece.starts],
        is_cut=_cut(piece, rule, xp),
    )
    found["excluded_for"] = machine_reasons(piece.time, piece.starts, counts, rule, xp)
    return found


def _different(session: Array, codes: Array, known: int, sessions: int, backend: Backend) -> Array:
    """How many different codes each session has, those of nulls (`known`) left out."""
    there = codes < known
    pairs = backend.frames.Series(session[there] * known + codes[there]).drop_duplicates()
    # Where no code is known there is no pair either.
    counts: Array = backend.xp.bincount(pairs.values // max(known, 1), minlength=sessions)
    return counts.astype("int64")


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
