"""Past: what was known of customers at a moment, for a fit, and what some of them then did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.customer_value.churn import buying_traits
from gpu_pipeline.customer_value.counting import Counted, counted_histories, counted_spend
from gpu_pipeline.customer_value.histories import histories_of, outcomes_of
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.features.moves import Moves
from gpu_pipeline.kernels import mixed_hash

__all__ = ["Past", "pasts"]


@dataclass(frozen=True, kw_only=True)
class Past:
    """Customers as of a moment: the `histories` and `spend` of all, counted, and some in full.

    `some` has for each of them the columns of `purchase_histories` and `churn.TRAITS`, purchases
    and value of the horizon after the moment, and purchases_before and value_before of the one
    before it; it has no rows where the horizon is still to come. `currencies` are those of the
    amounts, which must be one before they are put together.
    """

    histories: Counted
    spend: Counted
    some: Frame
    currencies: Frame
    backend: Backend

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """That of all customers from those of some, each of whom is in one part."""
        backend = parts[0].backend
        some = backend.frames.concat([part.some for part in parts], ignore_index=True)
        currencies = backend.frames.concat([part.currencies for part in parts], ignore_index=True)
        return cls(
            histories=Counted.merged([part.histories for part in parts], backend),
            spend=Counted.merged([part.spend for part in parts], backend),
            some=some.sort_values("customer_key").reset_index(drop=True),
            currencies=currencies.drop_duplicates().reset_index(drop=True),
            backend=backend,
        )

    @property
    def days(self) -> int:
        """How long ago the first of the customers bought for the first time."""
        age = self.histories.columns[2]
        return int(age.max()) if len(age) else 0

    @property
    def repeaters(self) -> int:
        """How many customers bought again."""
        return self.histories.total(self.histories.columns[0] > 0)


def pasts(
    lines: Frame,
    as_of: datetime,
    horizon_days: int,
    backend: Backend,
    *,
    rates: ExchangeRates | None = None,
    time_zone: str = "UTC",
    most: int,
) -> tuple[Past, Past, Past]:
    """The customers of these order lines now, one horizon before `as_of`, and two before it.

    The earlier two have at most that many customers in full, drawn by a hash of their keys: the
    same ones whatever the order of lines.

    Raises:
        PipelineError: what was sold or returned is in several currencies, and there are no rates.
    """
    horizon = np.timedelta64(horizon_days, "D")
    now, cut, earlier = (
        Moves.of(lines, np.datetime64(as_of, "us") - back * horizon, backend, rates)
        for back in range(3)
    )

    def past(moves: Moves, later: Moves | None) -> Past:
        histories = histories_of(moves, time_zone=time_zone)
        some = histories[["customer_key"]].iloc[:0]
        if later is not None:
            outcomes = _outcomes(moves, later, moves.moment - horizon, time_zone)
            traits = buying_traits(moves).drop(columns="customer_key")
            # All speak of the customers of the moves, in their order.
            whole = backend.frames.concat([histories, traits, outcomes], axis=1)
            some = whole.iloc[_drawn(moves.customers, most, backend)].reset_index(drop=True)
        return Past(
            histories=counted_histories(histories, backend),
            spend=counted_spend(histories, backend),
            some=some,
            currencies=histories[["currency"]].drop_duplicates(),
            backend=backend,
        )

    return past(now, None), past(cut, now), past(earlier, cut)


def _outcomes(moves: Moves, later: Moves, before: np.datetime64, time_zone: str) -> Frame:
    """What the customers of the moves did after their moment, and from `before` until it."""
    after = outcomes_of(moves.customers, moves.moment, later, time_zone=time_zone)
    last = outcomes_of(moves.customers, before, moves, time_zone=time_zone)
    return after[["purchases", "value"]].assign(
        purchases_before=last["purchases"], value_before=last["value"]
    )


def _drawn(customers: Array, most: int, backend: Backend) -> Array:
    """The places, ascending, of the customers whose hashes are the lowest."""
    xp = backend.xp
    if len(customers) <= most:
        return xp.arange(len(customers))
    return xp.sort(xp.argsort(mixed_hash([customers], xp), kind="stable")[:most])
