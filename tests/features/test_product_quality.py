"""Weekly quality of products against plain SQL, and a bad batch that stands out."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from order_lines import CPU, START, drawn_lines, lines

from gpu_pipeline.contracts import contract
from gpu_pipeline.features import product_quality, weekly_contacts, weekly_sales, weekly_texts
from gpu_pipeline.orders import settled

ORACLE = (Path(__file__).parent.parent / "oracle" / "product_quality.sql").read_text()
CATEGORIES = pd.DataFrame({"product_id": ["lamp", "rug"], "category": ["light", "floor"]})
MOMENTS = [(START + timedelta(hours=hours)).to_pydatetime() for hours in (-1, 2, 1000, 9000)]
WEEK = timedelta(weeks=1)

times = st.integers(0, 40).map(lambda days: START + timedelta(days=days * 11))
goods = st.sampled_from(["lamp", "sofa", "rug", None])


def frame_of(rows: list[tuple[Any, ...]], *names: str) -> pd.DataFrame:
    types = {name: "datetime64[us]" if name.endswith("_at") else "str" for name in names}
    return pd.DataFrame(rows, columns=list(names)).astype(types)


drawn_cases = st.lists(st.tuples(goods, times), max_size=20).map(
    lambda rows: frame_of(rows, "product_id", "opened_at")
)
drawn_texts = st.lists(
    st.tuples(goods, times, st.sampled_from(["negative", "neutral"])), max_size=20
).map(lambda rows: frame_of(rows, "product_id", "created_at", "label"))
NO_CASES = frame_of([], "product_id", "opened_at")
NO_TEXTS = frame_of([], "product_id", "created_at", "label")


def quality(
    sold: list[pd.DataFrame],
    cases: pd.DataFrame = NO_CASES,
    texts: pd.DataFrame = NO_TEXTS,
    as_of: datetime = MOMENTS[-1],
) -> pd.DataFrame:
    """The table, of order lines in some buckets."""
    counts = [weekly_sales(some, as_of, CPU, time_zone="UTC") for some in sold]
    counts.append(weekly_contacts(cases, as_of, CPU, time_zone="UTC"))
    counts.append(weekly_texts(texts, as_of, CPU, time_zone="UTC"))
    return product_quality(counts, CATEGORIES, CPU)


def by_sql(**tables: Any) -> pd.DataFrame:
    as_of = tables.pop("as_of")
    with duckdb.connect() as connection:
        for name, frame in tables.items():
            connection.register(name, frame)
        found = connection.execute(ORACLE, {"as_of": as_of}).df()
    return CPU.cast(found, contract("product_quality"))


@settings(deadline=None, max_examples=40)
@given(drawn_lines(), drawn_cases, drawn_texts, st.sampled_from(MOMENTS), st.sampled_from([1, 4]))
def test_quality_is_that_of_plain_sql_from_any_number_of_buckets(
    frame: pd.DataFrame,
    cases: pd.DataFrame,
    texts: pd.DataFrame,
    as_of: datetime,
    buckets: int,
) -> None:
    bucket = frame["customer_key"] & (buckets - 1)
    parts = [frame[bucket == number] for number in range(buckets)]
    known = frame[frame["ordered_at"] <= as_of].reset_index(drop=True)
    wanted = by_sql(
        lines=settled(known, CPU), cases=cases, texts=texts, categories=CATEGORIES, as_of=as_of
    )
    assert_frames_equal(quality(parts, cases, texts, as_of), wanted)


def test_rates_look_back_thirteen_weeks_and_no_further() -> None:
    rows = [{"ordered_at": START + number * WEEK} for number in range(20)]
    back = {"ordered_at": START, "line_type": "return", "quantity": -1, "unit_price": 1}
    found = quality([lines(*rows, back)])
    assert found["units_sold_last_13_weeks"].tolist() == [*range(1, 13), *[13] * 8]
    assert found["return_rate"].gt(0).tolist() == [*[True] * 13, *[False] * 7]
    assert (found["week"].dt.dayofweek == 0).all()


def test_a_product_that_breaks_stands_out_from_its_category_and_the_others_do_not() -> None:
    rng = np.random.default_rng(4)
    rows = []
    for number in range(3000):
        product = ["lamp", "rug", "desk"][number % 3]
        at = START + timedelta(hours=int(rng.integers(0, 2000)))
        rows.append({"product_id": product, "ordered_at": at, "customer_key": number})
        if rng.random() < (0.15 if product == "lamp" else 0.05):
            later = {"ordered_at": at + timedelta(days=3), "order_id": "R"}
            rows.append(rows[-1] | later | {"line_type": "return", "quantity": -1})
    alike = pd.DataFrame({"product_id": ["lamp", "rug", "desk"], "category": "home"})
    as_of = (START + timedelta(days=90)).to_pydatetime()
    weekly = weekly_sales(lines(*rows), as_of, CPU, time_zone="UTC")
    found = product_quality([weekly], alike, CPU)
    last = found[found["week"] == found["week"].max()].set_index("product_id")
    above = last["return_rate_low"] > last["category_return_rate"]
    assert above.to_dict() == {"lamp": True, "rug": False, "desk": False}


def test_what_was_never_sold_has_contacts_and_no_rate() -> None:
    cases = frame_of([("stool", START)], "product_id", "opened_at")
    (found,) = quality([lines()], cases).to_dict("records")
    assert found["contacts"] == 1
    assert np.isnan(found["contacts_per_1000_sold"])
    assert np.isnan(found["return_rate_low"])


def test_a_return_that_only_mends_an_entry_is_none() -> None:
    wrong = {"quantity": 99}
    undone = {"quantity": -99, "line_type": "return", "order_id": "B"}
    found = quality([lines({"product_id": "rug"}, wrong, undone)])
    assert found["product_id"].tolist() == ["rug"]


@pytest.mark.parametrize("place", ["Pacific/Auckland", "UTC"])
def test_weeks_begin_on_mondays_by_the_clocks_of_the_zone(place: str) -> None:
    # Sunday noon in UTC is Monday in Auckland.
    found = weekly_sales(lines({}), MOMENTS[-1], CPU, time_zone=place)
    monday = "2026-03-02" if place == "Pacific/Auckland" else "2026-02-23"
    assert found["week"].tolist() == [pd.Timestamp(monday)]
