"""Rules by which segments are named: each a name, what it means, what to do, and when it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

__all__ = ["NAME_RULES", "Bound", "NameRule", "Row"]

Row = Mapping[Any, Any]  # the columns of a profile, by name


@dataclass(frozen=True)
class Bound:
    """What a column of the profile must be: from `least` to `most`, both times the shop's usual."""

    measure: str
    least: float = -inf
    most: float = inf
    is_of_usual: bool = True

    def holds(self, profile: Row, usual: Row, *, slack: float = 0.0) -> bool:
        """Whether the profile lies within, or misses by at most `slack`, a share of the bound.

        A value that is missing doesn't, and nothing is a multiple of a usual value of 0 or less.
        """
        value, unit = profile[self.measure], usual[self.measure] if self.is_of_usual else 1.0
        if self.least > -inf and not (unit > 0 and value >= self.least * (1 - slack) * unit):
            return False
        return self.most == inf or bool(value <= self.most * (1 + slack) * unit)

    def __str__(self) -> str:
        ends = [("at least", self.least), ("at most", self.most)]
        unit = " x usual" if self.is_of_usual else ""
        said = [f"{words} {bound:g}{unit}" for words, bound in ends if abs(bound) < inf]
        return f"{self.measure} {' and '.join(said)}"


@dataclass(frozen=True)
class NameRule:
    """A name, in a sentence what such customers are and in another what to do, and when it holds.

    A name has no comma: what tells two segments of one name apart comes behind one.
    """

    name: str
    meaning: str
    advice: str
    bounds: tuple[Bound, ...] = ()

    @property
    def description(self) -> str:
        """What such customers are, and what marketing can do."""
        return f"{self.meaning} {self.advice}"

    def holds(self, profile: Row, usual: Row, *, slack: float = 0.0) -> bool:
        """Whether the profile keeps to all bounds."""
        return all(bound.holds(profile, usual, slack=slack) for bound in self.bounds)


_RECENT = Bound("days_since_last_order", most=1)
_ONCE = Bound("orders", most=1.5, is_of_usual=False)
_AT_A_DISCOUNT = (
    Bound("discount_share", least=1.5),
    Bound("discount_share", least=0.1, is_of_usual=False),
)

# The first rule that holds names the segment.
NAME_RULES = (
    NameRule(
        "bought and sent back",
        "Much of what they buy comes back.",
        "Ask why, and mend sizes, pictures and descriptions before the next offer.",
        (Bound("return_rate", least=0.25, is_of_usual=False),),
    ),
    NameRule(
        "champions",
        "They order at least twice as often as is usual, and did so lately.",
        "Thank them and show them new things first; they need no discount.",
        (Bound("orders", least=2), _RECENT),
    ),
    NameRule(
        "promising",
        "New customers who order as often as others do after a longer time.",
        "Greet them and suggest what goes with what they bought.",
        (Bound("tenure_days", most=0.5), _RECENT, Bound("orders", least=1)),
    ),
    NameRule(
        "new",
        "They bought for the first time not long ago.",
        "Welcome them and make the second order easy.",
        (Bound("tenure_days", most=0.5), _RECENT),
    ),
    NameRule(
        "big spenders",
        "Their orders are worth at least twice the usual.",
        "Give them service and choice rather than discounts.",
        (Bound("average_order", least=2), Bound("days_since_last_order", most=1.5)),
    ),
    NameRule(
        "loyal",
        "They order about as often as is usual or more, and did so lately.",
        "Keep them: points, early news, things that go together.",
        # A few who order very often lift the mean above what most do.
        (Bound("orders", least=0.75), _RECENT),
    ),
    NameRule(
        "one-off bargain hunters",
        "They bought once, at more of a discount than is usual.",
        "Write to them at sales alone, and not often.",
        (_ONCE, *_AT_A_DISCOUNT),
    ),
    NameRule(
        "one-off buyers",
        "They bought once and did not come back.",
        "One reminder of what they bought, then save the postage.",
        (_ONCE,),
    ),
    NameRule(
        "bargain hunters",
        "They order now and then, at more of a discount than is usual.",
        "Write to them at sales; a discount at another time costs what they would pay anyway.",
        (*_AT_A_DISCOUNT, Bound("days_since_last_order", most=1.5)),
    ),
    NameRule(
        "recently active",
        "They order less often than is usual, but did so lately.",
        "Invite the next order while they still think of the shop.",
        (Bound("days_since_last_order", most=0.5),),
    ),
    NameRule(
        "lost",
        "They used to order and have not for at least three times as long as is usual.",
        "Ask a last time with a good offer, then stop.",
        (Bound("days_since_last_order", least=3),),
    ),
    NameRule(
        "slipping away",
        "They used to order and have not for longer than is usual.",
        "Win them back now: ask what is missing, offer something that they liked.",
        (Bound("days_since_last_order", least=1.5),),
    ),
    NameRule(
        "occasional",
        "They order now and then, neither much nor little.",
        "Remind them at the times at which they buy.",
    ),
)
