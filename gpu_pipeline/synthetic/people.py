"""The customers: which segment each belongs to, when they come and go, and what they change."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import (
    DAY,
    Floats,
    Ints,
    Mask,
    Rng,
    chosen,
    labels,
    moments,
    numbered,
)
from gpu_pipeline.synthetic.span import Span


class Segment(NamedTuple):
    """How the customers of one planted segment buy."""

    name: str
    share: float
    gap_days: float  # between two orders
    fewest_orders: int  # a short span shrinks the gap to hold them
    regularity: float  # shape of the gamma distribution of the gaps
    newcomers: float  # share that signs up within the span
    stays: tuple[float, float]  # fraction of the span at which they stop, from and to
    extra_lines: float  # of an order, mean
    taste: int  # row of the tastes in `trade`
    coupons: tuple[int, ...]  # percent off an order, one of these

    def gap(self, span: Span) -> float:
        """Between two orders, as a fraction of the span."""
        return min(self.gap_days, span.days / self.fewest_orders) / span.days


SEGMENTS = (
    Segment("champions", 0.10, 12, 8, 3, 0.3, (1, 1), 0.7, 1, (0,)),
    Segment("loyal", 0.30, 36, 4, 6, 0.4, (1, 1), 0.45, 0, (0,)),
    # They leave as they come: one order each.
    Segment("bargain hunters", 0.35, 36, 1, 1, 1.0, (0, 0), 0.0, 2, (15, 20, 25)),
    Segment("slipping away", 0.25, 40, 5, 4, 0.0, (0.3, 0.6), 0.4, 0, (0,)),
)
LOYAL = 1
COUNTRIES = ("DE", "FR", "NL", "ES", "IT", "AT", "BE", "IE", "PT", "FI")
COUNTRY_ODDS = (0.30, 0.18, 0.12, 0.10, 0.09, 0.07, 0.05, 0.04, 0.03, 0.02)
_CONSENT_SHARE, _MIND_CHANGES, _MOVES = 0.72, 0.05, 0.02  # of all customers
CONSENTS = ("false", "true")
NEVER = 2**62  # a moment after every other


@dataclass(frozen=True)
class People:
    """One entry a customer; first and last are fractions of the span."""

    first_id: int  # their ids follow one another
    segment: Ints
    country: Ints
    is_new: Mask  # who signs up within the span
    first: Floats  # of the first order
    last: Floats  # after which there is none

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def leaves(self) -> Mask:
        """Who has stopped buying before the span ends."""
        return self.last < 1

    def ids(self, customer: Ints) -> pa.Array:
        """Raw ids as the shop's own systems know them; null for guests."""
        return numbered("C", np.where(customer < 0, -1, customer + self.first_id), 7)


@dataclass(frozen=True)
class Accounts:
    """One entry a customer: what the account says, and when that changed; NEVER if it didn't."""

    signed_up: Ints
    consent: Ints
    consent_changed: Ints
    country: Ints
    moved: Ints
    next_country: Ints

    def country_at(self, customer: Ints, at: Ints) -> Ints:
        """Where a customer lived at a moment."""
        has_moved = self.moved[customer] <= at
        return np.where(has_moved, self.next_country[customer], self.country[customer])

    def consent_at(self, customer: Ints, at: Ints) -> Ints:
        """Whether a customer agreed to marketing at a moment."""
        return self.consent[customer] ^ (self.consent_changed[customer] <= at)


def draw_people(span: Span, first_id: int, count: int, rng: Rng) -> People:
    """The customers, segments mixed."""
    segment = rng.permutation(
        np.searchsorted(
            np.cumsum([one.share for one in SEGMENTS])[:-1], (np.arange(count) + 0.5) / count
        )
    )
    gap = np.array([one.gap(span) for one in SEGMENTS])[segment]
    is_new = rng.random(count) < np.array([one.newcomers for one in SEGMENTS])[segment]
    earliest, latest = np.array([one.stays for one in SEGMENTS])[segment].T
    stops = rng.uniform(earliest, latest)
    # Newcomers of segments that stay leave themselves time to show what they are.
    since = np.where(stops > 0, 0.6, 1) * rng.random(count)
    first = np.where(is_new, since, np.minimum(gap * rng.random(count), stops))
    country = chosen(COUNTRY_ODDS, count, rng)
    return People(first_id, segment, country, is_new, first, np.maximum(first, stops))


def draw_accounts(span: Span, people: People, first_order: Ints, rng: Rng) -> Accounts:
    """When each opened the account (newcomers up to three days before they buy), and changes."""
    count = len(people)
    recently = first_order - rng.integers(600, 3 * DAY, count)
    signed_up = np.where(people.is_new, recently, span.opens - rng.integers(DAY, 900 * DAY, count))
    since = np.maximum(signed_up, span.opens) + 1
    changes = [
        np.where(
            rng.random(count) < share,
            since + (rng.random(count) * (span.closes - since)).astype(np.int64),
            NEVER,
        )
        for share in (_MIND_CHANGES, _MOVES)
    ]
    elsewhere = (people.country + rng.integers(1, len(COUNTRIES), count)) % len(COUNTRIES)
    consent = (rng.random(count) < _CONSENT_SHARE).astype(np.int64)
    return Accounts(signed_up, consent, changes[0], people.country, changes[1], elsewhere)


def customer_rows(accounts: Accounts) -> tuple[Ints, Ints]:
    """(customer, updated_at) of each version of each account, in order of time."""
    everybody = np.arange(len(accounts.signed_up))
    parts = [
        (everybody, accounts.signed_up),
        *(
            (np.flatnonzero(changed < NEVER), changed[changed < NEVER])
            for changed in (accounts.consent_changed, accounts.moved)
        ),
    ]
    customer, updated_at = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(updated_at, kind="stable")
    return customer[order], updated_at[order]


def customer_table(
    people: People, accounts: Accounts, customer: Ints, updated_at: Ints
) -> pa.Table:
    """What the accounts of these customers said at these moments."""
    return pa.table(
        {
            "customer_id": people.ids(customer),
            "country": labels(COUNTRIES, accounts.country_at(customer, updated_at)),
            "signed_up_at": moments(accounts.signed_up[customer]),
            "marketing_consent": labels(CONSENTS, accounts.consent_at(customer, updated_at)),
            "updated_at": moments(updated_at),
        }
    )
