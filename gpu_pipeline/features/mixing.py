"""The mix of what customers buy: how their units spread over the categories of the catalogue."""

from types import ModuleType

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.features.histories import divided
from gpu_pipeline.features.moves import Moves
from gpu_pipeline.kernels import radix_order, run_starts, segment_sums
from gpu_pipeline.labels import Labels

__all__ = ["PRODUCT_COLUMNS", "category_mix"]

PRODUCT_COLUMNS = ("product_id", "category")


def category_mix(moves: Moves, products: Frame) -> dict[str, Array | Series]:
    """How many categories, the one with most units, its share, and the entropy in bits.

    `products` are rows of the catalogue, one a product (`PRODUCT_COLUMNS`). What it doesn't know
    is in no category; who bought nothing else has none.
    """
    xp, backend, count = moves.backend.xp, moves.backend, len(moves.customers)
    codes, sold = moves.sales.frame["product_id"].factorize()
    labels = _categories(backend.frames.Series(sold), products, backend)
    customer, category, units = _units(moves, labels, labels.codes[xp.asarray(codes)])
    total, most = xp.zeros(count, dtype="int64"), xp.zeros(count, dtype="int64")
    xp.add.at(total, customer, units)
    xp.maximum.at(most, customer, units)
    favourite = xp.full(count, len(labels.texts))
    is_most = units == most[customer]
    # Of equals the first in order of the alphabet.
    xp.minimum.at(favourite, customer[is_most], category[is_most])
    share = units / total[customer]
    entropy = xp.zeros(count)
    xp.add.at(entropy, customer, -share * xp.log2(share))
    known = backend.frames.Series(total > 0)
    return {
        "categories": xp.bincount(customer, minlength=count),
        "favourite_category": labels.text(favourite, backend),
        "favourite_category_share": divided(most, total, backend),
        "category_entropy": backend.frames.Series(entropy).where(known),
    }


def _categories(sold: Series, products: Frame, backend: Backend) -> Labels:
    """The category of each product that was sold."""
    place = backend.xp.arange(len(sold))
    asked = backend.frames.DataFrame({"product_id": sold, "place": place})
    found = asked.merge(products, on="product_id", how="left").sort_values("place")
    return Labels.of(found["category"].reset_index(drop=True), backend)


def _units(moves: Moves, labels: Labels, category: Array) -> tuple[Array, Array, Array]:
    """(customer, category, units) for each pair with units, one category after the other.

    `category` is the code of each line of the frame.
    """
    xp, sales = moves.backend.xp, moves.sales
    code, known = category[sales.rows], len(labels.texts)
    order = radix_order(code, known + 1, xp)
    order = order[: int((code < known).sum())]
    # Stable: within a category, customers lie in order.
    customer, code = sales.customer[order], code[order]
    starts = run_starts([code, customer], xp)
    units = segment_sums(sales.quantity[order], starts, xp)
    return _positive(customer[starts], code[starts], units, xp)


def _positive(
    customer: Array, category: Array, units: Array, xp: ModuleType
) -> tuple[Array, Array, Array]:
    there = xp.flatnonzero(units > 0)
    return customer[there], category[there], units[there]
