"""Stock-outs: days that say nothing about demand, and what forgetting them would cost."""

from datetime import timedelta
from itertools import groupby

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.panels import CPU, MONDAY
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting.demand import forecast_demand
from gpu_pipeline.forecasting.stockouts import days_out_of_stock
from gpu_pipeline.synthetic import generate

DAYS = 35
PARTS = {"A": 0.6, "B": 0.4}  # of demand, at two places


def counts_of(rows: list[tuple[str, str, float, int]]) -> pd.DataFrame:
    """Product, location, day and units on hand."""
    frame = pd.DataFrame(rows, columns=["product_id", "location", "day", "on_hand"])
    counted_at = pd.Timestamp(MONDAY) + pd.to_timedelta(frame.pop("day"), unit="D")
    return frame.assign(counted_at=counted_at.astype("datetime64[us]"))


def weekly(
    on_hand: list[int], *, product: str = "a", place: str = "north"
) -> list[tuple[str, str, float, int]]:
    """Counts at six in the morning every seven days."""
    return [(product, place, 7 * week + 0.25, units) for week, units in enumerate(on_hand)]


def panel_of(units: dict[str, list[int]]) -> Panel:
    rows = np.array([*units.values()], dtype="float32")
    return Panel.from_matrix([*units], rows, start=MONDAY, freq="D", backend=CPU)


def left_out(units: list[int], counts: list[tuple[str, str, float, int]], **how: str) -> list[int]:
    found = days_out_of_stock(panel_of({"a": units}), counts_of(counts), **how)
    return found[0].nonzero()[0].tolist()


COUNTS = st.dictionaries(
    st.tuples(st.sampled_from(["north", "south", "west"]), st.integers(-3, DAYS + 2)),
    st.sampled_from([0, 0, 1, 9]),
    max_size=16,
)
UNITS = st.lists(st.sampled_from([0, 0, 1]), min_size=DAYS, max_size=DAYS)


@given(UNITS, COUNTS)
@settings(deadline=None, max_examples=150)
def test_days_left_out_are_those_that_the_twin_finds(units, counts) -> None:
    rows = [("a", place, day + 0.25, on_hand) for (place, day), on_hand in counts.items()]
    assert left_out(units, rows) == twin(units, counts)


def twin(units: list[int], counts: dict[tuple[str, int], int]) -> list[int]:
    """Day by day, for one product; counts of after the last day are not there."""
    counts = {(place, day): n for (place, day), n in counts.items() if day < DAYS}
    mean = {
        place: float(np.mean([n for (at, _), n in counts.items() if at == place]))
        for place, _ in counts
    }
    places = [place for place in mean if mean[place] > 0]
    spells = [(place, *spell) for place in places for spell in spells_of(place, counts)]
    days = range(DAYS)

    def out(day: int, *, known: bool) -> list[tuple[str, int, int, int, int]]:
        first, last = (1, 2) if known else (3, 4)
        return [spell for spell in spells if spell[first] <= day <= spell[last]]

    possible = {d for d in days if places and len(out(d, known=False)) == len(places)}
    found = set()
    for day in possible:
        if len(out(day, known=True)) < len(places):
            continue
        for step in (-1, 1):
            at = day
            while at in possible:
                found.add(at)
                if units[at]:
                    break
                at += step
    for day in set(days) - possible:
        share = sum(mean[s[0]] for s in out(day, known=False) if s[4] - s[3] < 27)
        if places and share / sum(mean.values()) >= 0.25 - 1e-9:
            found.add(day)
    return sorted(found)


def spells_of(place: str, counts: dict) -> list[tuple[int, int, int, int]]:
    """First and last empty count, first and last day between the counts with stock around them."""
    mine = sorted((day, n) for (at, day), n in counts.items() if at == place)
    spells = []
    for empty, run in groupby(mine, key=lambda count: count[1] == 0):
        if empty:
            days = [day for day, _ in run]
            before = [day for day, _ in mine if day < days[0]]
            after = [day for day, _ in mine if day > days[-1]]
            begin = max(before) + 1 if before else 0
            spells.append((days[0], days[-1], begin, (min(after) if after else DAYS) - 1))
    return spells


def sold_but(*without: int) -> list[int]:
    return [0 if day in without else 2 for day in range(DAYS)]


def test_days_from_the_last_sale_before_an_empty_count_to_the_first_after_it_are_left_out() -> None:
    units = sold_but(*range(11, 17), 3, 30)
    assert left_out(units, weekly([9, 9, 0, 9, 9])) == [*range(10, 18)]


def test_counts_that_found_stock_bound_what_is_left_out() -> None:
    nothing = [1] + [0] * (DAYS - 1)
    assert left_out(nothing, weekly([9, 9, 0, 9, 9])) == [*range(8, 21)]
    assert left_out(nothing, weekly([9, 9, 0, 0, 9])) == [*range(8, 28)]


def test_who_is_still_out_is_out_until_the_last_day() -> None:
    assert left_out(sold_but(*range(30, DAYS)), weekly([9, 9, 9, 9, 0])) == [28]
    assert left_out(sold_but(*range(27, DAYS)), weekly([9, 9, 9, 9, 0])) == [*range(26, DAYS)]


def test_a_location_that_never_had_stock_does_not_count() -> None:
    units = sold_but(*range(11, 17))
    never = weekly([0] * 5, place="shop window")
    assert left_out(units, [*weekly([9, 9, 0, 9, 9]), *never]) == [*range(10, 18)]
    assert left_out(units, never) == []


def test_where_one_of_two_large_places_is_empty_all_days_between_the_counts_are_left_out() -> None:
    counts = [*weekly([9, 9, 0, 9, 9]), *weekly([9] * 5, place="south")]
    assert left_out(sold_but(12), counts) == [*range(8, 21)]
    small = [*weekly([2, 2, 0, 2, 2]), *weekly([9] * 5, place="south")]
    assert left_out(sold_but(12), small) == []


def test_a_place_that_is_empty_for_long_is_how_it_is_now() -> None:
    counts = [*weekly([9, 0, 0, 0, 0]), *weekly([9] * 5, place="south")]
    assert left_out(sold_but(), counts) == []
    longer = [*weekly([0, 0, 0, 0, 9]), *weekly([9] * 5, place="south")]
    assert left_out(sold_but(), longer) == []


def test_each_product_has_its_own_days_whatever_the_order_of_counts() -> None:
    panel = panel_of({"a": sold_but(*range(8, 20)), "b": sold_but(*range(8, 20))})
    counts = counts_of(
        [
            *weekly([9, 9, 0, 9, 9], product="b"),
            *weekly([9] * 5, product="a"),
            *weekly([0] * 5, product="unknown"),
            ("b", "north", 99.0, 0),
        ]
    )
    found = days_out_of_stock(panel, counts.sample(frac=1, random_state=1))
    assert found.any(axis=1).tolist() == [False, True]
    assert found[1].nonzero()[0].tolist() == [*range(8, 21)]


def test_the_day_of_a_count_is_one_of_the_shop() -> None:
    late = [("a", "north", 7 * week + 0.99, 0 if week == 2 else 9) for week in range(5)]
    nothing = [1] + [0] * (DAYS - 1)
    assert left_out(nothing, late) == [*range(8, 21)]
    assert left_out(nothing, late, time_zone="Europe/Berlin") == [*range(9, 22)]


def test_no_counts_leave_nothing_out() -> None:
    assert left_out(sold_but(4, 5), []) == []


@pytest.mark.parametrize("rate", [0.3, 2.0, 10.0])
@pytest.mark.parametrize("places", ["AB", "A", "B"])
def test_what_is_left_of_a_planted_demand_is_as_high_as_demand(rng, rate, places) -> None:
    """A tenth of all days is lost: without the counts the mean would be up to ten percent low."""
    products, days = 600, 120
    wanted = {name: rng.poisson(rate * part, (products, days)) for name, part in PARTS.items()}
    since = rng.integers(30, 60, products)[:, None]
    out = (np.arange(days) >= since) & (
        np.arange(days) < since + rng.integers(8, 17, (products, 1))
    )
    sold = sum(np.where(out & (name in places), 0, units) for name, units in wanted.items())
    ids = [f"p{i:03d}" for i in range(products)]
    counts = [
        (ids[i], name, day + 0.25, 0 if name in places and out[i, day] else round(99 * part))
        for name, part in PARTS.items()
        for day in range(0, days, 7)
        for i in range(products)
    ]
    panel = Panel.from_matrix(ids, sold, start=MONDAY, freq="D", backend=CPU)
    left = panel.hiding(days_out_of_stock(panel, counts_of(counts)))
    true = sum(wanted.values())
    alive = np.arange(days) >= panel.first[:, None]
    assert panel.y[alive].mean() / true[alive].mean() < 0.97
    assert left.y[left.observed].mean() / true[alive].mean() == pytest.approx(1, abs=0.02)
    assert left.y[alive].mean() / true[alive].mean() == pytest.approx(1, abs=0.02)


def test_the_planted_shop_is_not_taken_for_one_that_sells_less(tmp_path) -> None:
    generate(tmp_path, customers=3_000, days=180, seed=2, damage=0)
    orders = pd.read_csv(tmp_path / "orders.csv.gz")
    sales = orders[orders["line_type"] == "sale"]
    days = pd.to_datetime(sales["ordered_at"], format="ISO8601").dt.tz_localize(None).dt.floor("D")
    units = sales.assign(ds=days).groupby(["product_id", "ds"])["quantity"].sum().reset_index()
    counts = pd.read_csv(tmp_path / "inventory.csv")
    counted_at = pd.to_datetime(counts["counted_at"], format="ISO8601").dt.tz_localize(None)
    lost = (
        pd.read_parquet(tmp_path / "truth" / "stockouts.parquet")
        .groupby("product_id")
        .sum(numeric_only=True)
    )

    names = {"product_id": "unique_id", "quantity": "y"}
    panel = Panel.from_frame(units.rename(columns=names), freq="D", backend=CPU)
    left = panel.hiding(days_out_of_stock(panel, counts.assign(counted_at=counted_at)))
    out = panel.ids.get_indexer(lost.index)
    demand = panel.y[out].sum() + lost["lost_units"].sum()
    assert panel.y[out].sum() / demand < 0.98
    assert left.y[out].sum() / demand == pytest.approx(1, abs=0.02)


def test_a_product_that_is_out_now_is_forecast_at_what_it_sold() -> None:
    units = np.full((2, 90), 8)
    units[1, 80:] = 0
    product, day = np.nonzero(units)
    demand = pd.DataFrame(
        {
            "product_id": pd.Series([f"p{i}" for i in product], dtype="str"),
            "day": np.datetime64(MONDAY, "us") + day * np.timedelta64(1, "D"),
            "units": units[product, day],
        }
    )
    counts = counts_of([*weekly([9] * 13, product="p0"), *weekly([9] * 12 + [0, 0], product="p1")])
    how = {"as_of": MONDAY + timedelta(days=90), "horizon": 7, "backend": CPU}
    without, known = (
        forecast_demand(demand, **how, stock=stock).groupby("product_id")["mean"].sum()
        for stock in (None, counts)
    )
    assert known["p0"] == pytest.approx(56, rel=0.05)
    assert known["p1"] == pytest.approx(56, rel=0.05)
    assert without["p1"] < 40
    later = counts.assign(counted_at=counts["counted_at"] + timedelta(days=84))
    unseen = forecast_demand(demand, **how, stock=later).groupby("product_id")["mean"].sum()
    assert unseen["p1"] == pytest.approx(without["p1"])
