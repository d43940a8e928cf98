"""The shop itself: what it sells, when it opened, and how much of it people want."""

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
    Rows,
    decimals,
    labels,
    moments,
    positions,
)
from gpu_pipeline.synthetic.delivery import Feed
from gpu_pipeline.synthetic.phrases import ASPECTS
from gpu_pipeline.synthetic.shifts import Shifts, draw_shifts
from gpu_pipeline.synthetic.span import Span
from gpu_pipeline.synthetic.stockouts import StockOuts, draw_stockouts

CURRENCY = "EUR"
LIFT = 4  # demand gained for the fraction taken off the price
_BREAKS, _MENDS = "battery", "delivery"  # what people talk about when their mood shifts
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
    peak_month: int  # of demand, from 0 (January)
    annual_swing: float  # above the year's mean in that month, a fraction
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
        peak_month=8,
        annual_swing=0.10,
        lines=("Pulse", "Nova", "Edge"),
        models=("5", "6", "6 Pro", "7", "7 Pro", "8"),
        aspects=(*_DEVICE, "performance", "sound", *SERVICE),
    ),
    Category(
        *("laptops", "LAP", 0.15, 49_900, 219_900, 0.6, 0.02),
        week=(1.25, 1.20, 1.15, 1.10, 0.95, 0.60, 0.75),
        peak_month=7,
        annual_swing=0.15,
        lines=("Airbook", "Studio", "Workmate"),
        models=('13"', '14"', '15"', '16"'),
        aspects=(*_DEVICE, "performance", "sound", *SERVICE),
    ),
    Category(
        *("consoles", "CON", 0.10, 19_900, 59_900, 0.7, 0.02),
        week=(0.70, 0.70, 0.75, 0.85, 1.20, 1.50, 1.30),
        peak_month=11,
        annual_swing=0.25,
        lines=("Arena", "Orbit"),
        models=("One", "Two", "Mini", "Max"),
        aspects=("performance", "sound", "quality", *SERVICE),
    ),
    Category(
        *("wearables", "WEA", 0.20, 5_900, 44_900, 0.9, 0.04),
        week=(1.00, 0.95, 0.95, 0.95, 1.00, 1.10, 1.05),
        peak_month=0,
        annual_swing=0.10,
        lines=("Loop", "Stride", "Tempo"),
        models=("2", "3", "3 Sport", "4", "5"),
        aspects=(*_DEVICE, *SERVICE),
    ),
    Category(
        *("accessories", "ACC", 0.35, 900, 8_900, 1.6, 0.40),
        week=(0.95, 0.95, 1.00, 1.00, 1.05, 1.10, 0.95),
        peak_month=11,
        annual_swing=0.10,
        lines=("Charger", "USB-C Dock", "Earbuds", "Sleeve", "Mouse", "Power Bank"),
        models=("S", "M", "Plus", "Duo"),
        aspects=("quality", *SERVICE),
    ),
)


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
    year: Floats  # (products, 12) from January, mean 1
    annual_trend: Floats  # growth of demand in a year, a fraction
    level: Floats  # positive texts among the positive and negative ones
    return_rate: Floats  # of lines sold at full price
    turned: int  # the product about which the mood turns bad for good: the first of the shifts
    promotions: Promotions
    shifts: Shifts
    stockouts: StockOuts

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
    liked = np.argsort(np.where(is_new, 0, -popularity), kind="stable")[: count // 2]
    week = np.array([one.week for one in of]) * rng.uniform(0.93, 1.07, (count, 7))
    aspects = list(ASPECTS)
    breaks, mends = aspects.index(_BREAKS), aspects.index(_MENDS)
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
        year=_years(of, rng),
        annual_trend=np.round(rng.uniform(-0.35, 0.6, count), 3),
        level=np.round(level, 3),
        return_rate=np.round(rng.uniform(0.02, 0.06, count) + 0.14 * faulty, 3),
        turned=turned,
        promotions=_promotions(span, launch_day, rng),
        shifts=draw_shifts(span, turned, liked, rng, breaks=breaks, mends=mends),
        stockouts=draw_stockouts(span, liked, rng),
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


def _years(categories: list[Category], rng: Rng) -> Floats:
    """A wave a year, of each product's own height."""
    peak = np.array([one.peak_month for one in categories])[:, None]
    swing = np.array([one.annual_swing for one in categories]) * rng.uniform(0.6, 1.4, len(peak))
    return np.round(1 + swing[:, None] * np.cos((np.arange(12) - peak) * np.pi / 6), 4)


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
    """Expected demand, percent taken off the price, and where stock has run out."""

    weight: Floats  # (days, products)
    percent_off: Ints  # (days, products)
    out: Mask  # (days, products, locations)

    def days(self, quantiles: Floats) -> Ints:
        """The days on which these fractions of the demand of the whole span are reached."""
        reached = np.cumsum(self.weight.sum(axis=1))
        return np.searchsorted((reached / reached[-1])[:-1], quantiles, side="right")


def expected_demand(span: Span, shop: Catalogue, rng: Rng) -> Demand:
    """Popularity × week × year × trend × promotion × noise, from the launch on."""
    day = np.arange(span.days)[:, None]
    percent_off = _percent_off(span, shop)
    season = shop.week.T[span.weekdays()] * shop.year.T[span.months()]
    weight = shop.popularity * season * (1 + shop.annual_trend * day / 365)
    weight = weight * (1 + LIFT * percent_off / 100) * (day >= shop.launch_day)
    out = shop.stockouts.out_on(span, len(shop))
    return Demand(weight * rng.gamma(30, 1 / 30, weight.shape), percent_off, out)


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


def product_rows(span: Span, shop: Catalogue) -> tuple[Ints, Ints]:
    """(product, updated_at) of each product, and of a later version where a price was reduced."""
    reduced = np.flatnonzero(shop.reduced_day < span.days)
    product = np.concatenate([np.arange(len(shop)), reduced])
    day = np.concatenate([shop.launch_day, shop.reduced_day[reduced]])
    return product, span.opens + day * DAY


def product_table(span: Span, shop: Catalogue, product: Ints, updated_at: Ints) -> pa.Table:
    """What the catalogue said of these products at these moments."""
    price = shop.price_on(product, (updated_at - span.opens) // DAY)
    return pa.table(
        {
            "product_id": labels(shop.ids, product),
            "name": labels(shop.names, product),
            "brand": labels(BRANDS, shop.brand[product]),
            "category": labels([one.name for one in CATEGORIES], shop.category[product]),
            "price": decimals(price),
            "currency": labels([CURRENCY], np.zeros_like(product)),
            "launched_at": moments(span.opens + shop.launch_day[product] * DAY),
            "updated_at": moments(updated_at),
        }
    )


def promotion_feed(span: Span, shop: Catalogue) -> Feed:
    """A row a promotion, by start."""
    offers = shop.promotions
    offers = offers.take(np.argsort(offers.first_day, kind="stable"))
    starts_at = span.opens + offers.first_day * DAY
    table = pa.table(
        {
            "product_id": labels(shop.ids, offers.product),
            "starts_at": moments(starts_at),
            "ends_at": moments(starts_at + offers.days * DAY - 1),
            "kind": labels(_PROMOTION_KINDS, offers.kind),
            "depth": decimals(offers.percent_off),
        }
    )
    return Feed("promotions", table, starts_at)
