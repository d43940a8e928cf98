"""What a pair of items is worth knowing for: support, confidence and lift."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.associations.counting import PairCounts
from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.kernels import order_of, ordinals_in_runs, radix_order, run_starts
from gpu_pipeline.labels import Labels

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["both_ways", "measured", "pairs", "ranked", "related"]

Measure = Literal["baskets", "lift"]


def pairs(
    frame: "Frame | dd.DataFrame",
    *,
    basket: str | Sequence[str],
    item: str,
    min_count: int = 1,
    top: int | None = None,
    largest_basket: int | None = None,
) -> Frame:
    """Each pair of items that at least `min_count` baskets hold, those in most baskets first.

    The frame (pandas, cuDF or Dask) has one row a basket and item, in any order; an item that is
    in a basket twice counts once. `basket` is the column, or the columns, that tell baskets
    apart. Of a Dask frame, baskets are brought together, and the pairs are computed.

    Columns: the item and `related_<item>`, of which the item is less; baskets, how many hold
    both; support, their share of all baskets; confidence, their share of the baskets that hold
    the item; reverse_confidence, of those that hold the related item; lift, how many times as
    often they are together as if they had nothing to do with each other (Agrawal, Imielinski &
    Swami 1993; Brin et al. 1997). Pairs in equally many baskets come in order of their items;
    `top` keeps the first ones.

    Baskets with more than `largest_basket` different items are left out of everything;
    `PairCounts` says how many those are. Not given, a basket of more than 1,000 is an error.

    Raises:
        PipelineError: a column is not there or has nulls, a basket is too large, or `min_count`
            or `top` is below 1.

    >>> import pandas as pd
    >>> bought = pd.DataFrame({"order": [1, 1, 2, 2, 3], "product": list("abaab")})
    >>> pairs(bought, basket="order", item="product")[["baskets", "confidence", "lift"]].values
    array([[1.  , 0.5 , 0.75]])
    """
    for name, least in {"min_count": min_count, "top": top}.items():
        if least is not None and least < 1:
            message = f"{name}={least}: it is 1 at least."
            raise PipelineError(message)
    by = [basket] if isinstance(basket, str) else list(basket)
    if hasattr(frame, "map_partitions"):
        counts = _of_dask(cast("dd.DataFrame", frame), by, item, largest_basket)
        counts = counts.at_least(min_count)
    else:
        counts = PairCounts.of(
            cast("Frame", frame),
            basket=by,
            item=item,
            min_count=min_count,
            largest_basket=largest_basket,
        )
    return measured(counts, item=item, top=top, backend=Backend.of(counts.items.to_frame(item)))


def _of_dask(
    frame: "dd.DataFrame", by: list[str], item: str, largest_basket: int | None
) -> PairCounts:
    rows = frame[list(dict.fromkeys([*by, item]))]
    if rows.npartitions > 1:
        rows = rows.shuffle(on=by)
    # Partitions are worked on side by side already.
    found = compute(
        *(
            delayed(PairCounts.of)(
                part, basket=by, item=item, largest_basket=largest_basket, threads=1
            )
            for part in rows.to_delayed()
        )
    )
    return PairCounts.sum(found, Backend.of(frame._meta))


def measured(counts: PairCounts, *, item: str, top: int | None = None, backend: Backend) -> Frame:
    """The counts as a frame with the columns of `pairs`, in its order."""
    xp, together = backend.xp, counts.together
    most = int(together.max()) if len(together) else 0
    order = radix_order(most - together, most + 1, xp)[:top]
    first, second, together = counts.first[order], counts.second[order], together[order]
    of_first, of_second = counts.held_by[first], counts.held_by[second]
    return backend.frames.DataFrame(
        {
            item: counts.items.take(first).reset_index(drop=True),
            f"related_{item}": counts.items.take(second).reset_index(drop=True),
            "baskets": together,
            "support": together / max(counts.count, 1),
            "confidence": together / of_first,
            "reverse_confidence": together / of_second,
            "lift": together * counts.count / (of_first * of_second),
        }
    )


def related(pairs: Frame, *, top: int = 10, by: Measure = "baskets") -> Frame:
    """The first `top` related items of each item, of a frame of `pairs`; each pair both ways.

    Columns: the item, `related_<item>`, rank (from 1), baskets, support, confidence (the share of
    the item's baskets that hold the related one) and lift, in order of item and rank. Ranked `by`
    the baskets that hold both, which ranks by confidence too, or by lift, of equal ones by the
    baskets; then in order of the related item.
    """
    return ranked(both_ways(pairs), top=top, by=by)


def both_ways(pairs: Frame) -> Frame:
    """Each pair twice, its items the other way round the second time: confidence is one-way."""
    item, other = (str(name) for name in list(pairs.columns)[:2])
    swapped = {item: other, other: item, "reverse_confidence": "confidence"}
    there = pairs.drop(columns=["reverse_confidence"])
    back = pairs.drop(columns=["confidence"]).rename(columns=swapped)[list(there.columns)]
    both: Frame = Backend.of(pairs).frames.concat([there, back], ignore_index=True)
    return both


def ranked(pairs: Frame, *, top: int, by: Measure = "baskets") -> Frame:
    """As `related`, of pairs that are there `both_ways`.

    Of pairs that come part by part, the first of the parts' first ones are the first of all.
    """
    backend = Backend.of(pairs)
    xp = backend.xp
    item, other = (str(name) for name in list(pairs.columns)[:2])
    names = backend.frames.concat([pairs[item], pairs[other]], ignore_index=True)
    codes = Labels.of(names, backend).codes
    first, second = codes[: len(pairs)], codes[len(pairs) :]
    # The most first: CuPy and NumPy sort upwards.
    measures = ["lift", "baskets"] if by == "lift" else ["baskets"]
    before = [xp.negative(xp.asarray(pairs[name].values)) for name in measures]
    order = order_of([first, *before, second], xp)
    starts = run_starts([first[order]], xp)
    rank: Array = ordinals_in_runs(starts, len(order), xp) + 1
    kept = rank <= top
    table = pairs.take(order[kept]).reset_index(drop=True).assign(rank=rank[kept])
    return table[[item, other, "rank", "baskets", "support", "confidence", "lift"]]
