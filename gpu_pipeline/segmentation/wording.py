"""How features are said in plain words: a table, with a plain answer for what is not in it."""

import math
from dataclasses import dataclass
from typing import Literal

from gpu_pipeline.money import minor_digits

__all__ = ["WORDINGS", "Wording", "amount_text", "trait_text", "wording"]

Unit = Literal["count", "days", "hours", "money", "share", "number"]

_ALIKE = 0.05  # of the usual value: what differs by less is said to be as usual
_FRACTIONS = {0.5: "half", 1 / 3: "a third of", 0.25: "a quarter of"}


@dataclass(frozen=True)
class Wording:
    """How one feature is said.

    `said` has a place for a value in its unit. `high` and `low` are what a customer does who has
    more or less of it than the shop's usual one; `more` and `less` what is so in comparison; `none`
    what a customer has done who has no value.
    """

    unit: Unit
    said: str
    high: str
    low: str
    more: str
    less: str
    none: str = ""
    noun: str = ""


def _count(noun: str, high: str, low: str) -> Wording:
    return Wording("count", "{}", high, low, f"more {noun}", f"fewer {noun}", noun=noun)


def _share(said: str, high: str, low: str, noun: str, none: str = "") -> Wording:
    more, less = f"a larger share of {noun}", f"a smaller share of {noun}"
    return Wording("share", said, high, low, more, less, none)


# Without `none`: every customer has a value, or the whole shop has none.
WORDINGS = {
    "days_since_last_order": Wording(
        *("days", "last order {} ago", "hasn't bought for long", "bought lately"),
        *("a longer time since the last order", "a shorter time since the last order"),
    ),
    "tenure_days": Wording(
        *("days", "first order {} ago", "a customer for long", "a new customer"),
        *("a longer time as a customer", "a shorter time as a customer"),
    ),
    "orders": _count("orders", "orders often", "orders rarely"),
    "units": _count("units", "buys many units", "buys few units"),
    "products": _count("different products", "buys many products", "buys few products"),
    "revenue": Wording(
        "money", "{} spent", "spends much", "spends little", "more spent", "less spent"
    ),
    "average_order": Wording(
        "money", "{} an order", "large orders", "small orders", "larger orders", "smaller orders"
    ),
    "returned_units": _count("units sent back", "sends much back", "sends little back"),
    "return_rate": _share(
        "{} of what is bought is sent back", "sends much back", "sends little back", "returns"
    ),
    "orders_last_90_days": _count(
        "orders in 90 days", "many orders in the last 90 days", "few orders in the last 90 days"
    ),
    "revenue_last_90_days": Wording(
        *("money", "{} spent in 90 days", "spent much in the last 90 days"),
        *("spent little in the last 90 days", "more spent in the last 90 days"),
        "less spent in the last 90 days",
    ),
    "discount_share": _share(
        *("{} off by discounts", "buys at a discount", "pays the full price", "discounts"),
        "bought nothing with a list price",
    ),
    "mean_days_between_orders": Wording(
        *("days", "{} between orders", "long waits between orders", "short waits between orders"),
        *("longer waits between orders", "shorter waits between orders", "ordered only once"),
    ),
    "sd_days_between_orders": Wording(
        *("days", "{} up or down between orders", "orders irregularly", "orders regularly"),
        *("less regular orders", "more regular orders", "ordered fewer than three times"),
    ),
    "categories": _count("categories", "buys from many categories", "buys from few categories"),
    "favourite_category_share": _share(
        *("{} from one category", "buys mostly from one category"),
        *("buys across categories", "one category", "bought nothing of a known category"),
    ),
    "category_entropy": Wording(
        *("number", "variety of {} bits", "buys across categories", "buys from few categories"),
        *("more variety", "less variety", "bought nothing of a known category"),
    ),
    "sessions": _count("visits", "visits often", "visits rarely"),
    "sessions_last_30_days": _count(
        "visits in 30 days", "many visits in the last 30 days", "few visits in the last 30 days"
    ),
    "days_since_last_session": Wording(
        *("days", "last visit {} ago", "hasn't visited for long", "visited lately"),
        *("a longer time since the last visit", "a shorter time since the last visit"),
        "never visited",
    ),
    "views": _count("views", "looks at much", "looks at little"),
    "carts": _count("products put into the cart", "fills the cart often", "rarely fills the cart"),
    "conversion": _share(
        *("{} of visits with a purchase", "buys on many visits"),
        *("looks but rarely buys", "visits with a purchase", "never visited"),
    ),
    "cart_abandonment": _share(
        *("{} of carts left behind", "leaves carts behind", "buys what is in the cart"),
        *("carts left behind", "never filled a cart"),
    ),
    "texts": _count("texts", "writes often", "writes rarely"),
    "texts_last_90_days": _count(
        "texts in 90 days", "wrote much in the last 90 days", "wrote little in the last 90 days"
    ),
    "mean_mood": Wording(
        *("number", "mood of {}", "sounds happy", "sounds unhappy"),
        *("a better mood", "a worse mood", "wrote nothing"),
    ),
    "mean_mood_last_90_days": Wording(
        *("number", "mood of {} in 90 days", "sounded happy lately", "sounded unhappy lately"),
        *("a better mood of late", "a worse mood of late", "wrote nothing in the last 90 days"),
    ),
    "support_cases": _count("support cases", "asks for help often", "rarely asks for help"),
    "open_cases": _count("open support cases", "waits for an answer", "waits for no answer"),
    "days_since_last_case": Wording(
        *("days", "last support case {} ago", "hasn't asked for help for long"),
        *("asked for help lately", "a longer time since the last support case"),
        *("a shorter time since the last support case", "never asked for help"),
    ),
    "mean_hours_to_resolve": Wording(
        *("hours", "{} until a case is solved", "waits long for help", "is helped fast"),
        *("a longer wait for help", "a shorter wait for help", "had no case solved"),
    ),
}


def wording(feature: str) -> Wording:
    """How the feature is said; one that is not in the table by its name."""
    words = feature.replace("_", " ")
    plain = Wording(
        *("number", f"{words} {{}}", f"high {words}", f"low {words}"),
        *(f"higher {words}", f"lower {words}", f"has no {words}"),
    )
    return WORDINGS.get(feature, plain)


def amount_text(feature: str, value: float, *, currency: str | None = None) -> str:
    """A value of the feature in its unit: 12 days, 4.2 orders, EUR 19.90; "unknown" of none.

    Money is in minor units of `currency`; without one it is a plain number.
    """
    words = wording(feature)
    if math.isnan(value):
        return "unknown"
    match words.unit:
        case "money" if currency:
            digits = minor_digits(currency)
            return f"{currency} {value / 10**digits:,.{digits}f}"
        case "share":
            return f"{value:.0%}" if abs(value) >= 0.095 or not value else f"{value:.1%}"
        case "count":
            return _counted(value, words.noun)
        case "days" | "hours":
            return _counted(value, words.unit)
    return _number(value)


def trait_text(feature: str, value: float, usual: float, *, currency: str | None = None) -> str:
    """A value against the shop's usual one: "4.2 orders, 3x the usual"."""
    said = wording(feature).said.format(amount_text(feature, value, currency=currency))
    return f"{said}, {_compared(feature, value, usual, currency)}"


def _compared(feature: str, value: float, usual: float, currency: str | None) -> str:
    shown = amount_text(feature, usual, currency=currency)
    if amount_text(feature, value, currency=currency) == shown:
        return "as usual"
    ratio = value / usual if usual > 0 else math.nan
    if abs(ratio - 1) <= _ALIKE:
        return "about as usual"
    if ratio >= 1.5:
        return f"{ratio:,.0f}x the usual" if ratio >= 9.5 else f"{ratio:.2g}x the usual"
    for fraction, words in _FRACTIONS.items():
        if abs(ratio - fraction) <= 0.1 * fraction:
            return f"{words} the usual"
    return f"the usual is {_number(usual) if wording(feature).unit == 'count' else shown}"


def _counted(value: float, noun: str) -> str:
    number = _number(value)
    if number != "1":
        return f"{number} {noun}"
    words = noun.split(" ")
    place = next(i for i, word in enumerate(words) if word.endswith("s"))
    words[place] = words[place].removesuffix("s").replace("ie", "y")
    return f"1 {' '.join(words)}"


def _number(value: float) -> str:
    """As many digits as a person wants to read."""
    if abs(value) >= 9.95:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 0.95 else 2
    return f"{round(value, digits):g}"
