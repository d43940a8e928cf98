"""The reorder rule: when to order how much, so that few deliveries come too late."""

from dataclasses import dataclass

from gpu_pipeline.backend import Array
from gpu_pipeline.inventory.units import Units, fewest

__all__ = ["Periods", "ReorderRule", "order_quantity", "reorder_rule"]


@dataclass(frozen=True)
class Periods:
    """What may be asked for while stock waits, an entry a product and location.

    review: until the next review; lead: from then until what is ordered there arrives; both: the
    two together, which an order that is not placed now must not be missed in. Both and lead hold
    the spread of the lead time; `both` need not be the sum of two independent periods.
    """

    review: Units
    lead: Units
    both: Units


@dataclass(frozen=True)
class ReorderRule:
    """The rule of each product and location, and what it may be trusted with.

    reorder_point: order when the position (on hand and on order) is at or below it.
    safety_stock: units expected to be left when a delivery arrives.
    cycle_service: probability that none is missing from one delivery to the next; at least what
        was asked for, above it since units are whole.
    fill_rate: share of the units asked for that can be had at once.
    """

    reorder_point: Array
    safety_stock: Array
    cycle_service: Array
    fill_rate: Array


def reorder_rule(periods: Periods, lot: Array, *, service_level: float) -> ReorderRule:
    """The lowest reorder point with which a cycle has no stock-out with that probability.

    Stock is reviewed every so often, orders are whole lots: the rule (R, s, nQ). After a review
    the position is then any of s + 1 … s + Q with the same probability (Hadley & Whitin 1963,
    Analysis of Inventory Systems, 5-3; Silver, Pyke & Thomas 2017, section 6.5). With position y,
    what is not ordered now arrives after `both`: its cycle ends in a stock-out if more than y is
    asked for until then. That counts in cycles where something is ordered at the next review;
    elsewhere it belongs to a cycle that goes on, and only the units of `lead` matter to it. So

        P(stock-out in a cycle) = (S(0, Q, both) - S(0, Q - E[min(Q, review)], lead))
                                  / E[min(Q, review)]

    where S(a, b, D) = sum of P(D > s + k) over k from a + 1 to b, a difference of two losses.
    Demand that finds no stock waits. Entries where nothing is asked for get a point of 0.
    """
    backend = periods.review.backend
    ordered = _units_ordered(periods.review, lot)
    bound = periods.both.mean + 10 * backend.xp.sqrt(periods.both.variance)
    is_unwanted = periods.both.mean <= 0

    def suffices(point: Array) -> Array:
        enough = _stockouts(point, periods, lot, ordered) <= (1 - service_level) * ordered
        return enough | is_unwanted

    point = fewest(suffices, bound, backend)
    some = backend.xp.maximum(ordered, 1e-12)
    risk = _stockouts(point, periods, lot, ordered) / some
    return ReorderRule(
        reorder_point=point,
        safety_stock=point - _undershoot(periods.review, lot, some) - periods.lead.mean,
        cycle_service=1 - backend.xp.clip(risk, 0.0, 1.0),
        fill_rate=_fill_rate(point, periods, lot),
    )


def order_quantity(position: Array, reorder_point: Array, lot: Array) -> Array:
    """Units to order now: as few lots as lift the position above the reorder point, or none."""
    lacking = reorder_point + 1 - position
    lots = -((-lacking) // lot)
    return lot * lots * (lacking > 0)


def _units_ordered(review: Units, lot: Array) -> Array:
    """E[min(Q, review)]: Q times the probability that a review orders."""
    return review.mean - review.loss(lot)


def _stockouts(point: Array, periods: Periods, lot: Array, ordered: Array) -> Array:
    """Mean number of the Q positions after a review whose cycle ends in a stock-out."""
    both, lead = periods.both, periods.lead
    late = both.loss(point + 1) - both.loss(point + 1 + lot)
    going_on = lead.loss(point + 1) - lead.loss(point + 1 + lot - ordered)
    return periods.review.backend.xp.maximum(late - going_on, 0.0)


def _undershoot(review: Units, lot: Array, ordered: Array) -> Array:
    """How far the position is below the reorder point when an order is placed, mean units.

    With W = (review - Q)+, the positions that lead to an order add up to a difference of
    triangular numbers: E[review (review - 1) / 2 - W (W - 1) / 2].
    """
    triangle = (review.variance + review.mean**2 - review.mean) / 2
    return (triangle - review.second_loss(lot)) / ordered


def _fill_rate(point: Array, periods: Periods, lot: Array) -> Array:
    """1 - units newly missing in a review period / units asked for in it."""
    xp = periods.review.backend.xp
    late, before = (
        units.second_loss(point) - units.second_loss(point + lot)
        for units in (periods.both, periods.lead)
    )
    asked = lot * xp.maximum(periods.review.mean, 1e-12)
    return 1 - xp.clip((late - before) / asked, 0.0, 1.0)
