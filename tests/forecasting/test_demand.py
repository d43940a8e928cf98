"""The pipeline's demand tables: daily sales of order lines, forecasts of products."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.panels import CPU, MONDAY
from gpu_pipeline.contracts import contract
from gpu_pipeline.forecasting import DemandForecaster
from gpu_pipeline.forecasting.demand import combined_demand, daily_demand, forecast_demand

RETAILER = Path(__file__).parents[2] / "data" / "online_retail.parquet"

LINE = st.fixed_dictionaries(
    {
        "product_id": st.sampled_from(["a", "b", "ä"]),
        "ordered_at": st.datetimes(MONDAY, MONDAY + timedelta(days=3)),
        "line_type": st.sampled_from(["sale", "sale", "return", "adjustment", "fee", "cancelled"]),
        "quantity": st.integers(-5, 9),
        "unit_price": st.integers(0, 10**12),
        "discount": st.integers(0, 99),
        "currency": st.sampled_from(["GBP", "JPY"]),
    }
)
TYPES = {
    "product_id": "str",
    "ordered_at": "datetime64[us]",
    "line_type": "str",
    **dict.fromkeys(("quantity", "unit_price", "discount"), "int64"),
    "currency": "str",
}


def lines_of(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


@given(st.lists(LINE, max_size=30), st.integers(1, 4))
@settings(deadline=None, max_examples=50)
def test_daily_demand_is_what_sql_says_however_the_lines_are_partitioned(rows, parts) -> None:
    lines = lines_of(rows)
    partial = [daily_demand(lines.iloc[i::parts]) for i in range(parts)]
    expected = duckdb.sql(
        """
        select product_id, date_trunc('day', ordered_at)::timestamp as day,
               sum(quantity)::bigint as units,
               sum(quantity * unit_price - discount)::bigint as revenue, currency
        from lines where line_type = 'sale'
        group by all order by product_id, day, currency
        """
    ).df()
    columns = contract("demand_daily").names
    expected = expected.astype({"product_id": "str", "currency": "str", "day": "datetime64[us]"})
    assert_frames_equal(combined_demand(pd.concat(partial)), expected[list(columns)])


def test_a_partition_without_sales_has_the_columns_of_the_contract() -> None:
    assert_frames_equal(daily_demand(lines_of([])), CPU.empty(contract("demand_daily")))


def test_days_of_23_and_of_25_hours_are_days_of_the_shop() -> None:
    """Clocks in London go forward on 29 March and back on 25 October 2026."""
    hours = {
        day: pd.date_range(f"{day} 00:00", f"{day} 23:00", freq="h", tz="Europe/London")
        for day in ("2026-03-28", "2026-03-29", "2026-03-30", "2026-10-25")
    }
    sold = [at.tz_convert("UTC").tz_localize(None) for of_day in hours.values() for at in of_day]
    lines = lines_of(
        [
            {
                "product_id": "a",
                "ordered_at": at,
                "line_type": "sale",
                "quantity": 1,
                "unit_price": 5,
                "discount": 0,
                "currency": "GBP",
            }
            for at in sold
        ]
    )
    found = daily_demand(lines, time_zone="Europe/London")
    days = found["day"].dt.strftime("%Y-%m-%d")
    assert dict(zip(days, found["units"], strict=True)) == {
        "2026-03-28": 24,
        "2026-03-29": 23,
        "2026-03-30": 24,
        "2026-10-25": 25,
    }
    assert found.dtypes.to_dict() == CPU.empty(contract("demand_daily")).dtypes.to_dict()


def test_the_last_whole_day_is_one_of_the_shop() -> None:
    demand = demand_of(np.ones((1, 9)))
    evening = MONDAY + timedelta(days=8, hours=-1)
    last = {
        zone: forecast_demand(demand, as_of=evening, horizon=1, backend=CPU, time_zone=zone)
        .iloc[0]["as_of"]
        .day
        - MONDAY.day
        for zone in ("UTC", "Europe/Berlin", "America/New_York")
    }
    assert last == {"UTC": 6, "Europe/Berlin": 7, "America/New_York": 6}


def demand_of(units: np.ndarray, *, currency: str = "GBP") -> pd.DataFrame:
    """A product a row, a day a column, the first a Monday; days without sales have no row."""
    product, day = np.nonzero(units)
    return pd.DataFrame(
        {
            "product_id": pd.Series([f"p{i}" for i in product], dtype="str"),
            "day": np.datetime64(MONDAY, "us") + day * np.timedelta64(1, "D"),
            "units": units[product, day],
            "revenue": 100 * units[product, day],
            "currency": currency,
        }
    )


def forecast_of(demand: pd.DataFrame, *, days: int, horizon: int = 14) -> pd.DataFrame:
    as_of = MONDAY + timedelta(days=days)
    return forecast_demand(demand, as_of=as_of, horizon=horizon, backend=CPU)


def test_a_forecast_is_the_table_of_its_contract(rng) -> None:
    table = forecast_of(demand_of(rng.poisson(3, (3, 100))), days=100)
    assert table.dtypes.tolist() == CPU.empty(contract("demand_forecast")).dtypes.tolist()
    assert list(table) == list(contract("demand_forecast").names)
    assert table["product_id"].tolist() == [f"p{i}" for i in range(3) for _ in range(14)]
    assert table["horizon"].tolist() == [*range(1, 15)] * 3
    assert set(table["as_of"]) == {pd.Timestamp(MONDAY + timedelta(days=99))}
    assert ((table["day"] - table["as_of"]).dt.days == table["horizon"]).all()
    assert not table.isna().to_numpy().any()


def test_numbers_and_models_are_those_of_the_forecaster(rng) -> None:
    demand = demand_of(rng.poisson(3, (5, 100)) + 1)
    table = forecast_of(demand, days=100)
    names = {"product_id": "unique_id", "day": "ds", "units": "y"}
    fitted = DemandForecaster(horizon=14).fit(demand.rename(columns=names))
    quantiles = ["mean", "p10", "p50", "p90"]
    assert_frames_equal(table[quantiles], fitted.predict()[quantiles])
    assert_frames_equal(
        table.drop_duplicates("product_id")[["model", "error", "naive_error"]].reset_index(
            drop=True
        ),
        fitted.models_[["model", "error", "naive_error"]],
    )


def test_the_day_that_has_not_ended_and_what_comes_after_it_are_not_seen(rng) -> None:
    units = rng.poisson(5, (4, 100))
    later = units.copy()
    later[:, 90:] = 1000
    midnight = forecast_of(demand_of(units[:, :90]), days=90)
    noon = forecast_demand(
        demand_of(later), as_of=MONDAY + timedelta(days=90, hours=12), horizon=14, backend=CPU
    )
    assert_frames_equal(noon, midnight)
    assert midnight["day"].min() == pd.Timestamp(MONDAY + timedelta(days=90))


def test_days_without_a_sale_up_to_as_of_count_as_days() -> None:
    units = np.full((1, 90), 8)
    units[:, 83:] = 0
    assert forecast_of(demand_of(units), days=90)["mean"].max() < 8


def test_a_product_not_sold_for_56_days_has_ended(rng) -> None:
    units = rng.poisson(5, (3, 120)) + 1
    units[0, 64:] = 0
    units[1, 65:] = 0
    demand = demand_of(units)
    assert set(forecast_of(demand, days=120)["product_id"]) == {"p1", "p2"}
    nothing = demand.tail(1).assign(product_id="p0", units=0)
    assert set(forecast_of(pd.concat([demand, nothing]), days=120)["product_id"]) == {"p1", "p2"}


def test_units_of_all_currencies_are_added_up(rng) -> None:
    units = rng.poisson(5, (3, 90))
    both = pd.concat([demand_of(units), demand_of(units, currency="JPY")])
    assert_frames_equal(forecast_of(both, days=90), forecast_of(demand_of(2 * units), days=90))


@pytest.mark.parametrize("days", [0, 1, 4])
def test_too_few_days_give_an_empty_table(days: int) -> None:
    table = forecast_of(demand_of(np.ones((2, 10), dtype="int64")), days=days)
    assert_frames_equal(table, CPU.empty(contract("demand_forecast")))


def test_five_days_give_a_forecast() -> None:
    table = forecast_of(demand_of(np.ones((2, 10), dtype="int64")), days=5)
    assert set(table["product_id"]) == {"p0", "p1"}
    assert (table["p90"] >= table["p10"]).all()


def test_a_moment_with_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="give it in UTC, without a zone"):
        forecast_demand(
            demand_of(np.ones((1, 9))),
            as_of=datetime(2026, 2, 1, tzinfo=UTC),
            horizon=1,
            backend=CPU,
        )


@pytest.mark.skipif(not RETAILER.exists(), reason=f"{RETAILER} is not there")
def test_a_real_retailer_that_rests_on_saturdays_gets_a_better_forecast_than_naive() -> None:
    lines = pd.read_parquet(RETAILER)
    lines = lines[(lines["Quantity"] > 0) & ~lines["InvoiceNo"].str.startswith("C")]
    lines = lines[(lines["UnitPrice"] > 0) & (lines["Quantity"] < 70_000)]
    orders = pd.DataFrame(
        {
            "product_id": lines["StockCode"],
            "ordered_at": lines["InvoiceDate"],
            "line_type": "sale",
            "quantity": lines["Quantity"],
            "unit_price": (100 * lines["UnitPrice"]).round().astype("int64"),
            "discount": 0,
            "currency": "GBP",
        }
    )
    demand = daily_demand(orders)
    best = demand.groupby("product_id")["units"].sum().nlargest(50).index
    as_of = lines["InvoiceDate"].max()
    table = forecast_demand(
        demand[demand["product_id"].isin(best)], as_of=as_of, horizon=28, backend=CPU
    )
    saturdays = table[table["day"].dt.day_name() == "Saturday"]
    others = table[table["day"].dt.day_name() != "Saturday"]
    assert (saturdays[["mean", "p10", "p50", "p90"]] == 0).all(axis=None)
    assert (others.groupby("day")["mean"].sum() > 1_000).all()
    chosen = table.drop_duplicates("product_id")
    assert len(chosen) > 40
    assert chosen["error"].sum() < 0.9 * chosen["naive_error"].sum()
