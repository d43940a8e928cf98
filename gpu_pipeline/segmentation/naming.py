"""Names that a merchant would use, found by the rules of `name_rules`.

A profile compares with the shop's own usual values, which are those of all customers taken as one
segment: the median where the profile has a median, the mean where it has a mean. The first rule
that holds names the segment. A segment keeps the name of the run before while that name's rule
nearly holds and none before it holds clearly, so that names don't flicker with numbers that lie
near a bound.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count as count_from
from itertools import pairwise

import pandas as pd

from gpu_pipeline.segmentation.assignment import OUTLIER
from gpu_pipeline.segmentation.name_rules import NAME_RULES, Row

__all__ = ["Renaming", "Told", "renamings", "segment_names", "trait_names"]

_SLACK = 0.1  # of a bound, by which a name that a segment has may miss it
_TRAITS_IN_A_NAME = 2
_STRONG = 0.25  # standard deviations, from which on a trait may carry a name on
_BY_NAME = {rule.name: rule for rule in NAME_RULES}
_PLACES = {rule.name: place for place, rule in enumerate(NAME_RULES)}

Told = tuple[str, str]  # a name, and what it means

_UNLIKE: Told = (
    "unlike the others",
    "They buy like no group of customers does. Sort them by revenue and look at the first: among "
    "them are often the largest customers, resellers and mistakes.",
)


@dataclass(frozen=True)
class Renaming:
    """A segment that has another name than in the run before."""

    segment: int
    before: str
    after: str


def segment_names(
    profiles: pd.DataFrame, usual: Row, *, previous: Mapping[int, str] | None = None
) -> list[Told]:
    """(name, description) of each row of the profiles, in their order; no two names are equal.

    `profiles` has segment and the columns that `NAME_RULES` bound, `usual` those of the shop;
    `previous` are the names that segments had in the run before.
    """
    rows = {int(row["segment"]): row for row in profiles.to_dict("records")}
    before = previous or {}
    bare = {segment: _name_of(row, usual, before.get(segment, "")) for segment, row in rows.items()}
    names: dict[int, str] = {}
    for name in set(bare.values()):
        same = [segment for segment in rows if bare[segment] == name]
        names.update(_told_apart(name, same, rows, before))
    return [
        (names[segment], _UNLIKE[1] if segment == OUTLIER else _BY_NAME[bare[segment]].description)
        for segment in rows
    ]


def trait_names(traits: pd.DataFrame, *, previous: Mapping[int, str] | None = None) -> list[Told]:
    """(name, description) by the strongest traits: "high visits, low discount share".

    For features that say nothing of orders. `traits` as `all_traits` gives them; one name for each
    of its segments, ascending. A name of the run before stays while its traits keep their signs.
    """
    phrases = {
        int(str(segment)): [
            (f"{'high' if effect > 0 else 'low'} {feature.replace('_', ' ')}", abs(effect))
            for feature, effect in zip(group["feature"], group["effect"], strict=True)
        ]
        for segment, group in traits.sort_values(["segment", "rank"]).groupby("segment")
    }
    names = {OUTLIER: _UNLIKE[0]}
    for segment, kept in (previous or {}).items():
        strong = {phrase for phrase, effect in phrases.get(segment, ()) if effect >= _STRONG}
        if set(kept.split(", ")) <= strong and kept not in names.values():
            names[segment] = kept
    for segment, found in phrases.items():
        if segment not in names:
            names[segment] = _first_free([phrase for phrase, _ in found], names.values())
    return [
        (names[segment], f"Customers with {names[segment]}, compared with the others.")
        if segment != OUTLIER
        else _UNLIKE
        for segment in phrases
    ]


def renamings(before: pd.DataFrame, after: pd.DataFrame) -> list[Renaming]:
    """The segments of both runs whose names differ; both frames have segment and name."""
    both = before[["segment", "name"]].merge(
        after[["segment", "name"]], on="segment", suffixes=("_before", "_after")
    )
    changed = both[both["name_before"] != both["name_after"]]
    return [
        Renaming(int(segment), old, new)
        for segment, old, new in zip(*(changed[name] for name in changed.columns), strict=True)
    ]


def _name_of(profile: Row, usual: Row, before: str) -> str:
    """The bare name: that of the run before while it nearly holds, else the first that holds."""
    if profile["segment"] == OUTLIER:
        return _UNLIKE[0]
    place = _PLACES.get(before.split(", ")[0])
    if place is None or not NAME_RULES[place].holds(profile, usual, slack=_SLACK):
        return next(rule.name for rule in NAME_RULES if rule.holds(profile, usual))
    clearly = [r.name for r in NAME_RULES[:place] if r.holds(profile, usual, slack=-_SLACK)]
    return clearly[0] if clearly else NAME_RULES[place].name


def _told_apart(
    name: str, same: Sequence[int], rows: Mapping[int, Row], before: Mapping[int, str]
) -> dict[int, str]:
    """The names of the segments with one bare name: they differ by what an order is worth.

    Former ones stay where the worth nearly keeps to their order; beside one that had the name
    alone, a second gets an end.
    """
    worth = {segment: float(rows[segment]["average_order"]) for segment in same}
    falling = sorted(same, key=lambda segment: -worth[segment])
    kept = {n: before[n] for n in same if before.get(n, "").split(", ")[0] == name}
    as_before = sorted(kept, key=lambda segment: _place(kept[segment]))
    if len(kept) == len(same) and _nearly_falling([worth[segment] for segment in as_before]):
        return kept
    names = {n: f"{name}{end}" for n, end in zip(falling, _ends(len(same)), strict=True)}
    return {**names, **kept} if len(same) == 2 and [*kept.values()] == [name] else names


def _ends(count: int) -> Sequence[str]:
    if count <= 2:
        return (", larger orders", ", smaller orders") if count == 2 else ("",)
    return [f", order value rank {rank}" for rank in range(1, count + 1)]


def _place(former: str) -> int:
    """Where a segment stood by its former name, the largest orders first; in the middle alone."""
    end = former.partition(", ")[2]
    places = {"larger orders": -1, "": 0, "smaller orders": 1}
    return places[end] if end in places else int(end.rsplit(" ", 1)[1])


def _nearly_falling(values: Sequence[float]) -> bool:
    return all(high >= low - _SLACK * abs(low) for high, low in pairwise(values))


def _first_free(phrases: Sequence[str], taken: Collection[str]) -> str:
    """The fewest leading phrases, at least the usual number, that name no other segment.

    Two names of the same phrases in another order would be one to a reader.
    """
    others = [set(name.split(", ")) for name in taken]
    for count in range(_TRAITS_IN_A_NAME, max(_TRAITS_IN_A_NAME, len(phrases)) + 1):
        name = ", ".join(phrases[:count])
        if set(phrases[:count]) not in others:
            return name
    return next(each for n in count_from(2) if (each := f"{name} ({n})") not in taken)
