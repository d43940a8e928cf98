"""Rising terms: what more people say than before, though nobody listed it.

People are counted, not texts: a person once a week. Whether a term's share rose is an exact test
of two Poisson rates (the count of the window among all of it is binomial), over many terms that
depend on each other: Benjamini and Yekutieli (2001) bound the share of false ones among those
found.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpu_pipeline.trends.terms import terms_of

Floats = npt.NDArray[np.float64]  # on the host

__all__ = ["BASE_WEEKS", "FEWEST_PEOPLE", "TermCounts", "rises", "term_counts", "topics"]

BASE_WEEKS = 8
FEWEST_PEOPLE = 5  # what fewer people say may be a name, and is no trend
FALSE_SHARE = 0.01
LEAST_GROWTH = 2.0
_TOGETHER = 0.5  # of the texts with either term, those with both
_MOST_TERMS = 200


@dataclass(frozen=True)
class TermCounts:
    """How many people used each term, and how many `wrote` at all; a person once a week."""

    people: Mapping[str, int]
    wrote: int


def term_counts(
    texts: pd.DataFrame, names: Collection[str], *, only: Collection[str] | None = None
) -> TermCounts:
    """Counts of some customers' texts (customer_key, week, text); of the terms `only`, if given."""
    people = Counter[str]()
    wrote = 0
    for _, said in texts.groupby(["customer_key", "week"], sort=False)["text"]:
        found = set[str]().union(*(terms_of(text, names) for text in said))
        people.update(found if only is None else found.intersection(only))
        wrote += 1
    return TermCounts(people, wrote)


def rises(now: TermCounts, before: TermCounts) -> pd.DataFrame:
    """term, people, people_before, share, usual_share, growth and q_value of what rose.

    The most surprising first, at most 200. Terms of fewer than five people are none, and so are
    those whose share has not doubled.
    """
    from scipy.stats import binom

    terms = sorted(term for term, count in now.people.items() if count >= FEWEST_PEOPLE)
    people = np.array([now.people[term] for term in terms], dtype="int64")
    past = np.array([before.people.get(term, 0) for term in terms], dtype="int64")
    table = pd.DataFrame({"term": pd.Series(terms, dtype="str"), "people": people})
    wrote, wrote_before = max(now.wrote, 1), max(before.wrote, 1)
    chance = binom.sf(people - 1, people + past, wrote / (wrote + wrote_before))
    share = people / wrote
    table = table.assign(
        people_before=past,
        share=share,
        usual_share=past / wrote_before,
        growth=share / ((past + 0.5) / wrote_before),
        q_value=adjusted(chance),
        chance=chance,
    )
    # Before a first week there is nothing that anything could have risen from.
    is_risen = (table["q_value"] <= FALSE_SHARE) & (table["growth"] >= LEAST_GROWTH)
    found = table[is_risen & (before.wrote > 0)]
    order = ["chance", "people", "term"]
    ranked = found.sort_values(order, ascending=[True, False, True], ignore_index=True)
    return ranked.drop(columns="chance").head(_MOST_TERMS)


def adjusted(chances: Floats) -> Floats:
    """The smallest false share at which each would be found, by Benjamini and Yekutieli."""
    count = len(chances)
    order = np.argsort(chances, kind="stable")
    rank = np.arange(1, count + 1)
    ratio = chances[order] * count * (1 / rank).sum() / rank
    found = np.empty(count)
    found[order] = np.minimum(np.minimum.accumulate(ratio[::-1])[::-1], 1.0)
    return found


def topics(terms: list[str], used: Mapping[str, set[int]]) -> list[str]:
    """The topic of each term, strongest first: the first stronger one with much the same texts.

    `used` gives the texts of a term. Terms of a topic are in half of the texts that have either.
    """
    leads: dict[str, set[int]] = {}
    found = []
    for term in terms:
        own = used[term]
        lead = next((name for name, texts in leads.items() if _overlap(own, texts)), term)
        leads.setdefault(lead, own)
        found.append(lead)
    return found


def _overlap(one: set[int], other: set[int]) -> bool:
    return len(one & other) >= _TOGETHER * len(one | other) > 0
