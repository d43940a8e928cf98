"""What was paid in a session: from any frame, and from a lake in one currency."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from click_lakes import CLICKS, CPU, KEY, START, add, click_lake, clicks, made, tables
from dask import config as dask_config
from frames import assert_frames_equal
from tiny_shop import land

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.sessions import SessionRule, sessionize
from gpu_pipeline.store import Lake

ORACLE = (Path(__file__).parents[1] / "oracle" / "sessions.sql").read_text()


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    with dask_config.set(scheduler="synchronous"):
        yield


def bought(**columns: Any) -> pd.DataFrame:
    """Two visitors who look and buy: one of them in two sessions."""
    frame = pd.DataFrame(
        {
            "customer_key": [1, 1, 1, 1, 2],
            "occurred_at": START + np.array([0, 5, 6, 100, 0]).astype("m8[m]"),
            "event_type": ["view", "purchase", "purchase", "purchase", "view"],
            "price": [999, 1250, 250, 100, 999],
        }
    )
    return frame.assign(**columns)


@pytest.mark.parametrize("kind", ["int64", "float64", "str"])
def test_revenue_is_what_was_paid_for_purchases_in_the_unit_of_the_price(kind: str) -> None:
    found = sessionize(bought().astype({"price": kind}), event="event_type")
    assert found["revenue"].tolist() == [1500, 100, 0]
    assert found["revenue"].dtype == ("int64" if kind == "int64" else "float64")
    assert "currency" not in found.columns


def test_a_purchase_without_a_price_adds_nothing() -> None:
    prices = [999.0, None, 2.5, None, None]
    found = sessionize(bought(price=prices), event="event_type")
    assert found["revenue"].tolist() == [2.5, 0, 0]


def test_the_currency_is_that_of_the_purchases_and_null_where_nothing_was_bought() -> None:
    found = sessionize(bought(currency=["USD", "EUR", "EUR", None, "JPY"]), event="event_type")
    assert found["currency"].fillna("none").tolist() == ["EUR", "none", "none"]


def test_without_prices_or_event_types_there_is_no_revenue() -> None:
    assert "revenue" not in sessionize(bought().drop(columns="price"), event="event_type")
    assert "revenue" not in sessionize(bought())


def test_purchases_in_several_currencies_are_not_added() -> None:
    several = bought(currency=["EUR", "EUR", "USD", "EUR", "EUR"])
    with pytest.raises(PipelineError, match=r"Purchases are paid in EUR, USD: .* Convert 'price'"):
        sessionize(several, event="event_type")


def test_prices_that_are_no_numbers_are_counted_and_named() -> None:
    wrong = bought(price=["1", "2", "free", None, "12,50"])
    with pytest.raises(PipelineError, match="2 of 5 amounts in column 'price' are no numbers"):
        sessionize(wrong, event="event_type")


def purchases(first: int, currencies: list[str | None], *, day: float = 0) -> pd.DataFrame:
    """Visitors 0, 1, … who pay 10.00 each, a view before it."""
    who = np.repeat(np.arange(len(currencies)), 2)
    kinds = ["view", "purchase"] * len(currencies)
    return clicks(
        who,
        1440 * day + np.tile([0, 3], len(currencies)),
        first=first,
        kind=kinds,
        price=[0, 1000] * len(currencies),
        currency=[c for name in currencies for c in (None, name)],
    )


def test_sessions_of_a_lake_have_the_revenue_of_plain_sql(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    kinds = rng.choice(["view", "cart", "purchase"], 400)
    is_paid = (kinds == "purchase") & (rng.random(400) < 0.8)
    rows = clicks(
        rng.integers(0, 9, 400),
        rng.integers(0, 9000, 400),
        kind=kinds,
        price=np.where(is_paid, rng.integers(0, 9999, 400), 0),
        currency=np.where(is_paid, "EUR", None),
    )
    lake = click_lake(tmp_path / "lake", rows.iloc[:250], rows.iloc[250:])
    facts = made(lake)
    found = tables(lake)["sessions"].sort_values(["customer_key", "started_at"])
    rule = SessionRule()
    given = {
        "gap": rule.gap_microseconds,
        "longest": rule.longest_microseconds,
        "most_events": rule.most_events,
    }
    with duckdb.connect() as connection:
        connection.register("events", rows)
        wanted = connection.execute(ORACLE, given).df()
    columns = ["customer_key", "started_at", "purchases", "revenue", "currency"]
    wanted = wanted[columns].astype(found[columns].dtypes.to_dict())
    assert_frames_equal(found[columns].reset_index(drop=True), wanted)
    assert (facts["currency"], facts["without_currency"]) == ("EUR", 0)
    assert found["revenue"].sum() == rows["price"].sum() > 0


def test_purchases_of_another_day_in_another_currency_are_refused(tmp_path: Path) -> None:
    lake = click_lake(tmp_path / "lake", purchases(0, ["EUR", "EUR", None]))
    facts = made(lake)
    assert (facts["currency"], facts["without_currency"]) == ("EUR", 1)
    assert tables(lake)["sessions"]["revenue"].sum() == 2000
    before = lake.version("sessions")
    add(lake, purchases(100, ["USD"], day=1))
    with pytest.raises(PipelineError, match=r"Purchases are in EUR, USD: .* --currency EUR"):
        made(lake)
    assert lake.version("sessions") == before


def test_customers_who_pay_in_different_currencies_are_not_put_together(tmp_path: Path) -> None:
    # Nobody meets the other currency in their own bucket of the lake.
    lake = click_lake(tmp_path / "lake", purchases(0, ["EUR", "USD"]))
    with pytest.raises(PipelineError, match=r"Purchases are in EUR, USD"):
        made(lake)


def quoted(day: int, rate: float, *, currency: str = "USD") -> pd.DataFrame:
    """What a unit of a currency is worth in euros on a day after the start."""
    midnight = (START + np.timedelta64(day, "D")).astype("M8[D]").astype("M8[us]")
    found = contract("fx_rates")
    rows = {"currency": [currency], "day": [midnight], "rate": [rate], "file_no": 1, "line": day}
    return CPU.cast(pd.DataFrame(rows), found)


def test_revenue_is_in_the_reporting_currency_at_the_rate_of_the_day(tmp_path: Path) -> None:
    loads = [purchases(0, ["EUR", "USD", "JPY", None]), purchases(50, ["USD"], day=1)]
    lake = click_lake(tmp_path / "lake", loads[0], currency="EUR")
    add(lake, quoted(0, 0.5), table="fx_rates")
    facts = made(lake)
    assert (facts["currency"], facts["without_rate"], facts["without_currency"]) == ("EUR", 1, 1)
    found = tables(lake)["sessions"].set_index("customer_key")
    assert found["revenue"].tolist() == [1000, 500, 0, 0] or set(found["revenue"]) == {1000, 500, 0}
    assert found["currency"].fillna("none").to_dict() == {0: "EUR", 1: "EUR", 2: "none", 3: "none"}
    # The rate of the next day comes with its clicks: what was made before stays.
    add(lake, quoted(1, 0.75), table="fx_rates")
    add(lake, loads[1])
    facts = made(lake)
    assert (facts["made"], facts["without_rate"]) == ("from what came since", 1)
    assert sorted(tables(lake)["sessions"]["revenue"]) == [0, 0, 500, 750, 1000]
    whole = click_lake(tmp_path / "whole", pd.concat(loads), currency="EUR")
    add(whole, pd.concat([quoted(0, 0.5), quoted(1, 0.75)]), table="fx_rates")
    wanted = made(whole)
    assert {name: facts[name] for name in ("sessions", "without_rate", "without_currency")} == {
        name: wanted[name] for name in ("sessions", "without_rate", "without_currency")
    }
    for name, frame in tables(whole).items():
        assert_frames_equal(tables(lake)[name], frame)


def test_a_rate_of_a_day_before_that_comes_late_makes_all_sessions_anew(tmp_path: Path) -> None:
    lake = click_lake(tmp_path / "lake", purchases(0, ["USD"], day=1), currency="EUR")
    assert made(lake)["without_rate"] == 1
    add(lake, quoted(0, 0.5), table="fx_rates")
    facts = made(lake)
    assert (facts["made"], facts["without_rate"]) == ("anew", 0)
    assert "exchange rates" in facts["because"]
    assert tables(lake)["sessions"]["revenue"].tolist() == [500]


def test_clicks_from_before_there_were_prices_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table was written under a contract that had neither column."""
    rows = clicks([1, 1, 2], [0, 3, 5], kind=["view", "purchase", "view"])
    lake = click_lake(tmp_path / "lake")
    with lake.writer() as writer:
        old = _without_prices()
        writer.commit(old, writer.write(rows, old))
    facts = made(lake)
    assert facts["currency"] is None
    found = tables(lake)["sessions"]
    assert found["revenue"].tolist() == [0, 0]
    assert found["currency"].isna().all()
    row = {"event_id": "e9", "visitor_id": "v", "occurred_at": "2026-03-31T00:00:00Z"}
    row |= {"event_type": "purchase", "price": "12.50", "currency": "EUR"}
    lake = Lake(lake.path, backend=CPU, key=KEY)
    land(lake, {"clickstream": [row]}, folder=tmp_path / "landing")
    facts = made(lake)
    assert (facts["made"], facts["currency"]) == ("from what came since", "EUR")
    assert sorted(tables(lake)["sessions"]["revenue"]) == [0, 0, 1250]


def _without_prices() -> Any:
    from dataclasses import replace

    kept = tuple(c for c in CLICKS.columns if c.name not in ("price", "currency"))
    return replace(CLICKS, version="0.9.0", columns=kept)


def test_a_price_is_money_of_its_currency_when_it_lands(lake: Lake, tmp_path: Path) -> None:
    prices = [("12.99", "EUR"), ("1200", "JPY"), ("1.250", "KWD"), ("", "")]
    rows = [
        {
            "event_id": f"e{number}",
            "visitor_id": "v",
            "occurred_at": f"2026-01-0{number + 1}T09:00:00Z",
            "event_type": "purchase",
            "price": price,
            "currency": currency,
        }
        for number, (price, currency) in enumerate(prices)
    ]
    land(lake, {"clickstream": rows}, folder=tmp_path / "landing")
    found = lake.read("clickstream").compute().sort_values("event_id")
    assert found["price"].tolist() == [1299, 1200, 1250, 0]
    assert found["currency"].fillna("").tolist() == ["EUR", "JPY", "KWD", ""]
