"""The shop itself: what it sells, when it opened, and how much of it people want."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import (
    DAY,
    Floats,
    Ints,
    Rng,
    Rows,
    decimals,
    labels,
    moments,
    positions,
)

CURRENCY = "EUR"
TURN_DAYS = 14
TURNED_LEVEL = 0.05  # of the product whose mood turns bad, then
TURNED_ASPECT = "battery"  # what people then talk about
_LIFT = 4  # demand gained for the fraction taken off the price
_PROMOTION_EVERY_DAYS = 45
_PERCENT_OFF = (10, 15, 20, 25, 30)
_PROMOTION_KINDS = ("percentage", "clearance")


class Category(NamedTuple):
    """What the products of one category have in common."""

    name: str
    code: str
    share: float  # of all products
    cheapest: int  # cents
    dearest: int
    popularity: float
    extra_units: float  # of a line, mean
    week: tuple[float, ...]  # demand from Monday to Sunday
    lines: tuple[str, ...]
    models: tuple[str, ...]
    aspects: tuple[str, ...]  # that people talk about


SERVICE = ("delivery", "price", "support")
_DEVICE = ("battery", "screen", "quality")
BRANDS = ("Norvik", "Kestrel", "Auralis", "Zentro", "Halden", "Veyra")
CATEGORIES = (
    Category(
        *("phones", "PHO", 0.20, 24_900, 119_900, 1.0, 0.03),
        week=(0.90, 0.90, 0.95, 1.00, 1.15, 1.20, 0.90),
        lines=("Pulse", "Nova", "Edge"),
        models=("5", "6", "6 Pro", "7", "7 Pro", "8"),
        aspects=(*_DEVICE, "performance", "sound", *SERVICE),
    ),
    Category(
        *("laptops", "LAP", 0.15, 49_900, 219_900, 0.6, 0.02),
        week=(1.25, 1.20, 1.15, 1.10, 0.95, 0.60, 0.75),
        lines=("Airbook", "Studio", "Workmate"),
        models=('13"', '14"', '15"', '16"'),
        aspects=(*_DEVICE, "performance", "sound", *SERVICE),
    ),
    Category(
        *("consoles", "CON", 0.10, 19_900, 59_900, 0.7, 0.02),
        week=(0.70, 0.70, 0.75, 0.85, 1.20, 1.50, 1.30),
        lines=("Arena", "Orbit"),
        models=("One", "Two", "Mini", "Max"),
        aspects=("performance", "sound", "quality", *SERVICE),
    ),
    Category(
        *("wearables", "WEA", 0.20, 5_900, 44_900, 0.9, 0.04),
        week=(1.00, 0.95, 0.95, 0.95, 1.00, 1.10, 1.05),
        lines=("Loop", "Stride", "Tempo"),
        models=("2", "3", "3 Sport", "4", "5"),
        aspects=(*_DEVICE, *SERVICE),
    ),
    Category(
        *("accessories", "ACC", 0.35, 900, 8_900, 1.6, 0.40),
        week=(0.95, 0.95, 1.00, 1.00, 1.05, 1.10, 0.95),
        lines=("Charger", "USB-C Dock", "Earbuds", "Sleeve", "Mouse", "Power Bank"),
        models=("S", "M", "Plus", "Duo"),
        aspects=("quality", *SERVICE),
    ),
)


@dataclass(frozen=True)
class Span:
    """`days` days from `opens`, a midnight in seconds."""

    opens: int
    days: int

    @property
    def closes(self) -> int:
        """The first second after it."""
        return self.opens + self.days * DAY

    @property
    def turns(self) -> int:
        """When the mood about one product turns bad."""
        return self.closes - TURN_DAYS * DAY

    def day_of(self, at: Ints) -> Ints:
        """Days since it opened, kept within it."""
        return np.clip((at - self.opens) // DAY, 0, self.days - 1)

    def weekdays(self) -> Ints:
        """0 (Monday) to 6, day by day: 1970 began on a Thursday."""
        return (self.opens // DAY + 3 + np.arange(self.days)) % 7


@dataclass(frozen=True)
class Promotions(Rows):
    """One entry a promotion."""

    product: Ints
    first_day: Ints
    days: Ints
    percent_off: Ints
    kind: Ints


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """One entry a product."""

    ids: list[str]
    names: list[str]
    models: list[str]
    brand: Ints
    category: Ints
    price: Ints  # cents
    reduced_price: Ints  # cents, from reduced_day on
    reduced_day: Ints  # the number of days where the price stays
    cost: Ints
    launch_day: Ints  # negative where it was on sale before the shop's first day here
    popularity: Floats
    week: Floats  # (products, 7) from Monday, mean 1
    annual_trend: Floats  # growth of demand in a year, a fraction
    level: Floats  # positive texts among the positive and negative ones
    return_rate: Floats  # of lines sold at full price
    turned: int
    promotions: Promotions

    def __len__(self) -> int:
        return len(self.ids)

    def price_on(self, product: Ints, day: Ints) -> Ints:
        """Cents."""
        reduced = day >= self.reduced_day[product]
        return np.where(reduced, self.reduced_price[product], self.price[product])


def catalogue(span: Span, customers: int, rng: Rng) -> Catalogue:
    """The products: 60 for 3,000 customers, and twice as many for 16 times as many."""
    count = max(20, round(60 * (customers / 3_000) ** 0.25))
    shares = np.cumsum([one.share for one in CATEGORIES])
    category = np.searchsorted(shares[:-1], (np.arange(count) + 0.5) / count)
    number = positions(np.bincount(category, minlength=len(CATEGORIES)))
    brand = (number + category) % len(BRANDS)
    of = [CATEGORIES[code] for code in category]
    models = [_model(one, n) for one, n in zip(of, number.tolist(), strict=True)]

    is_new = rng.permutation(count) < max(1, count // 10)
    old, new = rng.integers(30, 900, count), rng.integers(span.days // 5, span.days // 2, count)
    launch_day = np.where(is_new, new, -old)
    price = _prices(of, rng)
    is_reduced = (rng.random(count) < 0.12) & ~is_new
    popularity = (rng.permutation(count) + 2.0) ** -0.7 * [one.popularity for one in of]
    # A phone that sells well.
    turned = int(np.argmax(np.where(is_new | (category > 0), 0, popularity)))
    faulty = (rng.random(count) < 0.12) | (np.arange(count) == (turned + 1) % count)
    faulty[turned] = False
    level = rng.uniform(0.58, 0.9, count) - 0.22 * faulty
    level[turned] = 0.8
    week = np.array([one.week for one in of]) * rng.uniform(0.93, 1.07, (count, 7))
    return Catalogue(
        ids=[f"{one.code}-{n + 1:03d}" for one, n in zip(of, number.tolist(), strict=True)],
        names=[f"{BRANDS[b]} {model}" for b, model in zip(brand, models, strict=True)],
        models=models,
        brand=brand,
        category=category,
        price=price,
        reduced_price=price * 85 // 10_000 * 100 - 1,
        reduced_day=np.where(is_reduced, rng.integers(span.days // 3, span.days, count), span.days),
        cost=price * rng.integers(55, 75, count) // 100,
        launch_day=launch_day,
        popularity=popularity,
        week=np.round(week / week.mean(axis=1, keepdims=True), 4),
        annual_trend=np.round(rng.uniform(-0.35, 0.6, count), 3),
        level=np.round(level, 3),
        return_rate=np.round(rng.uniform(0.02, 0.06, count) + 0.14 * faulty, 3),
        turned=turned,
        promotions=_promotions(span, launch_day, rng),
    )


def _model(category: Category, number: int) -> str:
    series, generation = len(category.lines), number // len(category.lines)
    name = f"{category.lines[number % series]} {category.models[generation % len(category.models)]}"
    edition = generation // len(category.models) + 1
    return name if edition == 1 else f"{name} Mk {edition}"


def _prices(categories: list[Category], rng: Rng) -> Ints:
    low = np.array([one.cheapest for one in categories])
    high = np.array([one.dearest for one in categories])
    euros = np.round(low * (high / low) ** rng.random(len(low)) / 100)
    return euros.astype(np.int64) * 100 - 1


def _promotions(span: Span, launch_day: Ints, rng: Rng) -> Promotions:
    """At most one in 45 days for a product, five to ten days long, none before its launch."""
    slots = max(1, span.days // _PROMOTION_EVERY_DAYS)
    shape = (len(launch_day), slots)
    latest = min(30, span.days - 12)
    start = np.arange(slots) * _PROMOTION_EVERY_DAYS + rng.integers(0, latest, shape)
    product, slot = np.nonzero((rng.random(shape) < 0.4) & (start >= launch_day[:, None]))
    count = len(product)
    return Promotions(
        product,
        start[product, slot],
        rng.integers(5, 11, count),
        rng.choice(_PERCENT_OFF, count),
        rng.integers(len(_PROMOTION_KINDS), size=count),
    )


@dataclass(frozen=True)
class Demand:
    """Expected demand, and percent taken off the price; both (days, products)."""

    weight: Floats
    percent_off: Ints

    def days(self, quantiles: Floats) -> Ints:
        """The days on which these fractions of the demand of the whole span are reached."""
        reached = np.cumsum(self.weight.sum(axis=1))
        return np.searchsorted((reached / reached[-1])[:-1], quantiles, side="right")


def expected_demand(span: Span, shop: Catalogue, rng: Rng) -> Demand:
    """Popularity × week × trend × promotion × noise, from the launch on."""
    day = np.arange(span.days)[:, None]
    percent_off = _percent_off(span, shop)
    weight = shop.popularity * shop.week.T[span.weekdays()] * (1 + shop.annual_trend * day / 365)
    weight = weight * (1 + _LIFT * percent_off / 100) * (day >= shop.launch_day)
    return Demand(weight * rng.gamma(30, 1 / 30, weight.shape), percent_off)


def _percent_off(span: Span, shop: Catalogue) -> Ints:
    offers = shop.promotions
    day = np.repeat(offers.first_day, offers.days) + positions(offers.days)
    product, percent = (
        np.repeat(offers.product, offers.days),
        np.repeat(offers.percent_off, offers.days),
    )
    inside = day < span.days
    table = np.zeros((span.days, len(shop)), np.int64)
    table[day[inside], product[inside]] = percent[inside]
    return table


def product_table(span: Span, shop: Catalogue) -> pa.Table:
    """A row a product, and a later one where its price was reduced."""
    reduced = np.flatnonzero(shop.reduced_day < span.days)
    product = np.concatenate([np.arange(len(shop)), reduced])
    launched_at = span.opens + shop.launch_day * DAY
    reduced_at = span.opens + shop.reduced_day[reduced] * DAY
    return pa.table(
        {
            "product_id": labels(shop.ids, product),
            "name": labels(shop.names, product),
            "brand": labels(BRANDS, shop.brand[product]),
            "category": labels([one.name for one in CATEGORIES], shop.category[product]),
            "price": decimals(np.concatenate([shop.price, shop.reduced_price[reduced]])),
            "currency": labels([CURRENCY], np.zeros_like(product)),
            "launched_at": moments(launched_at[product]),
            "updated_at": moments(np.concatenate([launched_at, reduced_at])),
        }
    )


def promotion_table(span: Span, shop: Catalogue) -> pa.Table:
    """A row a promotion, by start."""
    offers = shop.promotions
    offers = offers.take(np.argsort(offers.first_day, kind="stable"))
    starts_at = span.opens + offers.first_day * DAY
    return pa.table(
        {
            "product_id": labels(shop.ids, offers.product),
            "starts_at": moments(starts_at),
            "ends_at": moments(starts_at + offers.days * DAY - 1),
            "kind": labels(_PROMOTION_KINDS, offers.kind),
            "depth": decimals(offers.percent_off),
        }
    )
