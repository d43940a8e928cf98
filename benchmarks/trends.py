"""How often a product's watch cries wolf, and how soon it sees what happened.

`alarms`: products on which nothing was planted, in shops of several kinds (few texts, moods and
volumes that drift, days that clump more than foreseen): false alarms in 100 product-years.

`shifts`: products with a shift planted on a day, by texts a day, size and breadth: the share found
on the day or in the two days after it. The peer is what an analyst would write: the week's share
of negative texts, and its volume, in standard errors from the 56 days before it, at the threshold
that keeps to one false alarm in 100 product-years on the plain shop.

`speed`: seconds for a shop's products x 12 aspects x 365 days, counts to alerts.

    python benchmarks/trends.py [alarms] [shifts] [speed] [--products N]
"""

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from timing import machine
from trend_shops import ASPECTS, Shift, Voices, voices

from gpu_pipeline.backend import Backend
from gpu_pipeline.trends.panel import Panel
from gpu_pipeline.trends.shop import Shop
from gpu_pipeline.trends.watching import FALSE_ALARM_YEARS, watch

QUESTIONS = ("alarms", "shifts", "speed")
DAYS, SINCE, SOON_DAYS, REFRACTORY_DAYS = 365, 150, 2, 28
BASE_DAYS, WEEK = 56, 7
COPIES = 40  # products with each planted shift
SHOPS: Mapping[str, Mapping[str, float]] = {
    "plain": {},
    "a fifth of the texts": {"volume": 0.2},
    "drift 2 % a day": {"drift": 0.02},
    "days clump more": {"clumping": 0.4},
    "moods clump more": {"known": 25.0},
}
PLANTED = [
    *((a_day, Shift(SINCE, 0.70, 3.0, 0)) for a_day in (1, 3, 8, 20)),
    *((a_day, Shift(SINCE, 0.70, 1.0, 0)) for a_day in (1, 3, 8, 20)),
    *((a_day, Shift(SINCE, 0.45, 3.0, 0)) for a_day in (1, 3, 8, 20)),
    *((a_day, Shift(SINCE, 0.70, 3.0, 2)) for a_day in (3, 8, 20)),
]
Raised = list[tuple[int, int]]  # (product, day)


def texts_a_day(products: int, seed: int) -> npt.NDArray[np.float64]:
    """Of each product, as in a shop: few have many."""
    return np.exp(np.random.default_rng(seed).normal(np.log(1.5), 1, products))


def ours(shop: Voices) -> Raised:
    """The first day of each event that the product raises."""
    backend = Backend.choose("cpu")
    panel = Panel.of(shop.table(), shop.categories(), shop.until)
    usual = Shop.of(panel.moods(), len(panel.products), backend)
    found = []
    for block in panel.blocks():
        seen = watch(block.days(usual, backend), block.first_day, backend)
        found += [(event.product + block.first, event.detected) for event in seen.events]
    return found


def z_scores(shop: Voices) -> npt.NDArray[np.float64]:
    """(days, products): the farther of a week's mood and volume from the 56 days before."""
    texts, negative = shop.people[:, :, 0], shop.negative[:, :, 0]
    sums = [np.cumsum(np.pad(counts, ((1, 0), (0, 0))), axis=0) for counts in (texts, negative)]
    found = np.zeros(texts.shape)
    for day in range(BASE_DAYS + WEEK, len(texts)):
        ends = day + 1, day + 1 - WEEK, day + 1 - WEEK - BASE_DAYS
        n, bad = (total[ends[0]] - total[ends[1]] for total in sums)
        n0, bad0 = (total[ends[1]] - total[ends[2]] for total in sums)
        usual = (bad0 + 1) / (n0 + 5)
        mood = (bad - n * usual) / np.sqrt(np.maximum(n, 1) * usual * (1 - usual))
        expected = (n0 + 1) * WEEK / BASE_DAYS
        found[day] = np.maximum(mood, (n - expected) / np.sqrt(expected))
    return found


def peer(shop: Voices, threshold: float) -> Raised:
    """Days on which the score passes the threshold, the next ones of four weeks left out."""
    raised: Raised = []
    quiet_until = np.zeros(shop.people.shape[1])
    for day, scores in enumerate(z_scores(shop)):
        hit = (scores >= threshold) & (day >= quiet_until)
        quiet_until[hit] = day + REFRACTORY_DAYS
        raised += [(int(product), day) for product in np.flatnonzero(hit)]
    return raised


def threshold_for(shop: Voices, alarms: int) -> float:
    """The peer's threshold with at most so many alarms on a shop where nothing happened."""
    low, high = 2.0, 60.0
    while high - low > 0.05:
        middle = (low + high) / 2
        if len(peer(shop, middle)) > alarms:
            low = middle
        else:
            high = middle
    return high


def quiet(name: str, products: int, seed: int = 71) -> Voices:
    """A shop where nothing was planted."""
    more = dict(SHOPS[name])
    return voices(seed, DAYS, more.pop("volume", 1.0) * texts_a_day(products, seed), **more)


def show_alarms(products: int) -> None:
    """Prints false alarms by shop."""
    print(f"\nfalse alarms in 100 product-years, {products:,} products x {DAYS} days; budget 1")
    for name in SHOPS:
        shop = quiet(name, products)
        count = len(ours(shop))
        print(f"{name:24}{100 * count / shop.product_years:6.2f}   ({count})", flush=True)


def show_shifts(products: int) -> None:
    """Prints the share of planted shifts that is found soon, ours and the peer's."""
    plain = quiet("plain", products)
    threshold = threshold_for(plain, int(plain.product_years / FALSE_ALARM_YEARS))
    count = COPIES * len(PLANTED)
    a_day = texts_a_day(count + products, seed=9)
    shifts = {}
    for product in range(count):
        a_day[product], shifts[product] = PLANTED[product // COPIES]
    shop = voices(9, SINCE + 35, a_day, shifts)
    tries: dict[str, Callable[[], Raised]] = {
        "ours": lambda: ours(shop),
        "z-score": lambda: peer(shop, threshold),
    }
    first = {name: _first_days(raised(), count) for name, raised in tries.items()}
    print(f"\nshifts found within {SOON_DAYS} days, of {COPIES} each; z-score at {threshold:.1f}")
    print("texts a day  negative  volume  breadth      ours  z-score   within 14: ours  z-score")
    for number, (rate, shift) in enumerate(PLANTED):
        own = slice(number * COPIES, (number + 1) * COPIES)
        breadth = "an aspect" if shift.aspect else "product"
        shares = [
            (first[name][own] <= SINCE + days).mean() for days in (SOON_DAYS, 14) for name in tries
        ]
        soon = "".join(f"{share:9.0%}" for share in shares[:2])
        later = "".join(f"{share:9.0%}" for share in shares[2:])
        size = f"20 -> {shift.share:.0%}  x {shift.factor:.0f}"
        print(f"{rate:11}  {size}   {breadth:9}{soon}       {later}")


def _first_days(raised: Raised, count: int) -> npt.NDArray[np.int64]:
    """Per product the first day since the shift on which it was raised; late if never."""
    first = np.full(count, DAYS * 10)
    for product, day in raised:
        if product < count and day >= SINCE:
            first[product] = min(first[product], day)
    return first


def show_speed(products: int) -> None:
    """Prints the time from counts to alerts."""
    shop = quiet("plain", products)
    table, categories = shop.table(), shop.categories()
    start = time.perf_counter()
    backend = Backend.choose("cpu")
    panel = Panel.of(table, categories, shop.until)
    usual = Shop.of(panel.moods(), len(panel.products), backend)
    for block in panel.blocks():
        watch(block.days(usual, backend), block.first_day, backend)
    seconds = time.perf_counter() - start
    cells = products * (1 + ASPECTS) * DAYS
    print(f"\n{products:,} products x {1 + ASPECTS} series x {DAYS} days ({len(table):,} rows):")
    print(f"{seconds:.1f} s, {cells / seconds / 1e6:.1f} million series-days a second")


def main() -> None:
    """Answers the questions that are asked, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*", default=QUESTIONS)
    parser.add_argument("--products", type=int, default=1000)
    given = parser.parse_args()
    print(machine())
    shows = {"alarms": show_alarms, "shifts": show_shifts, "speed": show_speed}
    for question in given.questions:
        shows[question](given.products)


if __name__ == "__main__":
    main()
