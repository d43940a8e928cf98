"""Every pure function of frames or arrays gives on a GPU what it gives on the CPU.

A row of `CASES` is a function and the input that it gets on both devices.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from order_lines import START, lines

from gpu_pipeline.associations import pairs, related
from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.cohorts import retention
from gpu_pipeline.contracts import contract
from gpu_pipeline.customer_value import BetaGeoModel, GammaGammaModel, value_interval
from gpu_pipeline.customer_value.churn import ChurnModel, buying_traits
from gpu_pipeline.customer_value.histories import histories_of
from gpu_pipeline.customer_value.past import pasts
from gpu_pipeline.customer_value.valuing import CustomerValueModel
from gpu_pipeline.exchange import ExchangeRates, in_reporting_currency
from gpu_pipeline.features import customer_features, rfm_scores
from gpu_pipeline.features.moves import Moves
from gpu_pipeline.forecasting.demand import daily_demand, forecast_demand
from gpu_pipeline.funnels import Funnel, FunnelStep, daily_funnel, funnel, journeys
from gpu_pipeline.ingest.reading import Block
from gpu_pipeline.ingest.rows import TypedRows, typed_rows
from gpu_pipeline.inventory import reorder_plan
from gpu_pipeline.orders import business_day, settled
from gpu_pipeline.paths import abandoned_pages, path_summary, purchase_paths
from gpu_pipeline.segmentation import SegmentModel
from gpu_pipeline.store import key_hashes

CPU = Backend.choose("cpu")
AS_OF = START.to_pydatetime() + timedelta(days=100)


@dataclass(frozen=True)
class Case:
    """A function of a frame, the frame, and how far floats may lie apart."""

    run: Callable[[Frame, Backend], Frame | Series | Array]
    given: Callable[[], pd.DataFrame]
    rtol: float = 1e-9

    def on(self, backend: Backend) -> Any:
        """What the function answers on that device."""
        return self.run(backend.from_pandas(self.given()), backend)


def _texts() -> pd.DataFrame:
    texts = ["", "a", None, "ünïcødé 漢字 🙂", "a", "x" * 1000, "two words"]
    return pd.DataFrame({"text": pd.Series(texts, dtype="str")}, index=range(3, 10))


def _rates() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line": [1.0, 2.0, 3.0],
            "rate": [1, 2, 3],
            "surplus": ["x", "y", "z"],
            "day": pd.Series(["2026-01-03", "2026-01-01", "2026-01-02"], dtype="datetime64[s]"),
            "file_no": [7, 7, 7],
            "currency": pd.Series(["EUR", "JPY", "KWD"], dtype="str"),
        }
    )


def _numbers() -> pd.DataFrame:
    return pd.DataFrame({"whole": [1, -(2**60)], "real": [-0.0, 0.1], "truth": [True, False]})


def _times() -> pd.DataFrame:
    texts = ["2026-01-01T10:00:00", "2026-03-29 02:30:00", None, "2026-07-01T10:00:00.25Z", "soon"]
    return pd.DataFrame({"text": pd.Series(texts, dtype="str")})


def _points() -> pd.DataFrame:
    """Three clouds, far enough apart that rounding moves nobody to another centre."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]], 200, axis=0)
    return pd.DataFrame(centres + rng.normal(size=centres.shape), columns=["x", "y"])


def _cast(frame: Frame, backend: Backend) -> Frame:
    return backend.cast(frame, contract("fx_rates"))


def _empty(frame: Frame, backend: Backend) -> Frame:
    return backend.empty(contract("orders"))


def _sha64(frame: Frame, backend: Backend) -> Series:
    return backend.sha64(frame["text"], prefix="key:")


def _bits(frame: Frame, backend: Backend) -> Array:
    return backend.xp.stack([backend.as_bits(frame[name]) for name in frame.columns])


def _in_utc(frame: Frame, backend: Backend) -> Series:
    return backend.to_times(frame["text"])


def _from_berlin(frame: Frame, backend: Backend) -> Series:
    return backend.to_times(frame["text"], time_zone="Europe/Berlin")


def _fitted(frame: Frame, backend: Backend) -> Any:
    points = frame.astype("float64").values
    centres = backend.xp.asarray([[1.0, 1.0], [6.0, 1.0], [1.0, 6.0]])
    return backend.estimator("KMeans", n_clusters=3, init=centres, max_iter=50).fit(points)


def _labels(frame: Frame, backend: Backend) -> Array:
    return backend.to_host(_fitted(frame, backend).labels_).astype("int64")


def _centres(frame: Frame, backend: Backend) -> Array:
    return backend.to_host(_fitted(frame, backend).cluster_centers_)


def _order_lines() -> pd.DataFrame:
    """A hundred days of thirty customers, with returns, entry errors and guests."""
    rng = np.random.default_rng(1)
    drawn = [
        {
            "order_id": f"o{i}",
            "customer_key": int(rng.integers(-15, 15)),
            "key_kind": "guest" if rng.random() < 0.1 else "customer",
            "ordered_at": START + pd.Timedelta(hours=int(rng.integers(0, 2400))),
            "product_id": f"p{rng.integers(0, 5)}",
            "quantity": int(rng.integers(1, 4)),
            "unit_price": int(rng.integers(1, 4)) * 100,
        }
        for i in range(1500)
    ]
    reversed_ = [
        row
        | {
            "order_id": f"r{i}",
            "quantity": -row["quantity"],
            "line_type": "return",
            "ordered_at": row["ordered_at"] + pd.Timedelta(hours=int(rng.integers(1, 60))),
        }
        for i, row in enumerate(drawn[:150])
    ]
    return lines(*drawn, *reversed_)


def _features(frame: Frame, backend: Backend) -> Frame:
    return customer_features(frame, AS_OF, backend)


def _every_feature(frame: Frame, backend: Backend) -> Frame:
    """Those of all sources; whoever orders also comes, writes and complains at that moment."""
    at, some = frame["ordered_at"], frame["quantity"] > 1
    catalogue = pd.DataFrame({"product_id": ["p0", "p1", "p2"], "category": ["b", "a", "b"]})
    return customer_features(
        frame,
        AS_OF,
        backend,
        products=backend.from_pandas(catalogue.astype("str")),
        sessions=frame.assign(
            started_at=at,
            ended_at=at,
            views=frame["quantity"],
            carts=frame["unit_price"] // 200,
            purchases=frame["unit_price"] // 300,
            excluded_for=frame["currency"].where(some, None),
        ),
        texts=frame.assign(created_at=at, negative=0.25, positive=frame["unit_price"] / 700),
        messages=frame.assign(
            case_id=frame["product_id"], opened_at=at, sent_at=at, resolved_at=at.where(some, None)
        ),
    )


def _scores(frame: Frame, backend: Backend) -> Frame:
    return rfm_scores(_features(frame, backend), cuts={"orders": (40, 50), "revenue": 4})


def _assigned(frame: Frame, backend: Backend) -> Frame:
    # Fitted once, on the host: what is compared is the assignment.
    model = SegmentModel(n_segments=3, backend=CPU).fit(_features(_order_lines(), CPU))
    model.backend = backend
    return model.assign(_features(frame, backend))


def _demand(frame: Frame, backend: Backend) -> Frame:
    return daily_demand(settled(frame, backend))


def _forecast(frame: Frame, backend: Backend) -> Frame:
    demand = _demand(frame, backend)
    made = forecast_demand(demand, as_of=AS_OF, horizon=7, backend=backend)
    return backend.from_pandas(made)


def _paid_abroad() -> pd.DataFrame:
    """Order lines in three currencies, some on days without a rate."""
    frame = _order_lines()
    abroad = pd.Series(["EUR", "JPY", "KWD"] * len(frame), dtype="str")[: len(frame)]
    return frame.assign(currency=abroad, unit_price=frame["unit_price"] * 12_345)


def _quotes() -> ExchangeRates:
    table = pd.DataFrame(
        {
            "currency": ["JPY", "KWD", "KWD"],
            "day": [START, START, START + pd.Timedelta(days=3)],
            "rate": [0.0061803, 2.99, 3.0000001],
        }
    )
    return ExchangeRates.of(table, currency="EUR", time_zone="Europe/Berlin")


def _in_euros(frame: Frame, backend: Backend) -> Frame:
    converted, unrated = in_reporting_currency(frame, _quotes(), backend)
    return backend.frames.concat([converted, unrated])


def _berlin_day(frame: Frame, backend: Backend) -> Series:
    return business_day(frame["ordered_at"], "Europe/Berlin")


def _landed() -> pd.DataFrame:
    """Raw clicks, many of them wrong in some way."""
    good = {
        "event_id": "e",
        "customer_id": "c1",
        "visitor_id": "v1",
        "occurred_at": "2026-01-15T12:00:00Z",
        "event_type": "view",
        "product_id": " P-1 ",
        "channel": "search, from jane@example.com",
        "device": None,
    }
    wrong = [
        {},
        {"event_type": "hover"},
        {"event_type": None},
        {"customer_id": None},
        {"customer_id": None, "visitor_id": " "},
        {"occurred_at": "soon"},
        {"occurred_at": "1980-01-01"},
        {"event_id": "jane@example.com"},
    ]
    rows = [{**good, "event_id": f"e{n}é" * (n % 4), **wrong[n % len(wrong)]} for n in range(60)]
    return pd.DataFrame(rows).astype("str")


def _typed(frame: Frame, backend: Backend) -> TypedRows:
    table = backend.to_arrow(frame)
    block = Block(table, np.arange(1, len(table) + 1))
    how = {"file_no": 3, "key": "ab" * 32, "time_zone": "UTC", "backend": backend}
    return typed_rows(block, contract("clickstream"), **how)


def _accepted(frame: Frame, backend: Backend) -> Frame:
    return _typed(frame, backend).accepted


def _rejected(frame: Frame, backend: Backend) -> Frame:
    return _typed(frame, backend).rejected


def _keys(frame: Frame, backend: Backend) -> Array:
    return key_hashes(_accepted(frame, backend), contract("clickstream"), backend)


def _clicks() -> pd.DataFrame:
    """Clicks of a week, many of one moment, some without a product or a channel."""
    rng = np.random.default_rng(2)
    choices = {
        "event_type": ["view", "view", "cart", "remove", "purchase", "search"],
        "product_id": ["p1", "p2", None],
        "channel": ["ads", "email", None],
    }
    drawn = {
        name: pd.Series(rng.choice(np.array(values, object), 2_000), dtype="str")
        for name, values in choices.items()
    }
    minutes = rng.integers(0, 7 * 24 * 60, 2_000)
    times = np.datetime64("2026-10-20", "us") + (minutes // 30 * 30).astype("m8[m]")
    return pd.DataFrame(
        {"customer_key": rng.integers(-40, 40, 2_000), "occurred_at": times, **drawn}
    )


def _funnel(frame: Frame, backend: Backend) -> Frame:
    steps = ["view", "cart", FunnelStep("purchase", within="9h", exclude=("search",))]
    asked = {"exclude": ["remove"], "same": ["product_id"], "time_zone": "Europe/Berlin"}
    return funnel(frame, steps, within="1d", by=["channel"], **asked)


def _journeys(frame: Frame, backend: Backend) -> Frame:
    rule = Funnel.of(["view", "cart", "purchase"], mode="any", within="1d")
    return journeys(frame, rule, by=["channel"], per="week")


def _strict_journeys(frame: Frame, backend: Backend) -> Frame:
    return journeys(frame, Funnel.of(["view", "cart"], mode="strict", within="5h"))


def _counted_sessions() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    counts = {n: rng.integers(0, 3, 300) for n in ("views", "carts", "checkouts", "purchases")}
    visits = pd.DataFrame({"started_at": _clicks()["occurred_at"].head(300), **counts})
    paid = pd.Series(["EUR", None, "EUR", "USD"] * 75, dtype="str")
    return visits.assign(
        bounced=visits["views"] == 1,
        revenue=rng.integers(0, 10**9, 300),
        currency=paid,
        channel=_clicks()["channel"].head(300),
    )


def _daily_funnel(frame: Frame, backend: Backend) -> Frame:
    return daily_funnel(frame, time_zone="Europe/Berlin")


def _with_digits(frame: Frame, backend: Backend) -> Series:
    return backend.contains(frame["text"], "[a-x]")


def _visits() -> pd.DataFrame:
    """A thousand events of twenty visitors, many of them of one moment, some without a product."""
    rng = np.random.default_rng(2)
    count = 1000
    products = [*(f"p{number}" for number in range(6)), None]
    return pd.DataFrame(
        {
            "customer_key": rng.integers(-10, 10, count),
            "session_id": rng.integers(-(2**62), 2**62, 60)[rng.integers(0, 60, count)],
            "occurred_at": np.datetime64(START, "us") + rng.integers(0, 9, count).astype("m8[m]"),
            "event_type": pd.Series(rng.choice(["view", "view", "cart", "purchase"], count)),
            "product_id": pd.Series([products[n] for n in rng.integers(0, 7, count)]),
        }
    ).astype({"event_type": "str", "product_id": "str"})


def _together(frame: Frame, backend: Backend) -> Frame:
    found = pairs(frame, basket=["key_kind", "unit_price", "ordered_at"], item="product_id")
    return related(found, top=3, by="lift")


def _bought_by_one(frame: Frame, backend: Backend) -> Frame:
    return pairs(frame, basket="customer_key", item="product_id")


def _retained(frame: Frame, backend: Backend) -> Frame:
    return retention(frame, period="week", order="order_id", amount="unit_price")


def _paths(frame: Frame, backend: Backend) -> Frame:
    return purchase_paths(frame, last=3, within="5min")


def _summary_of_paths(frame: Frame, backend: Backend) -> Frame:
    return path_summary(frame, last=3, within="5min")


def _abandoned(frame: Frame, backend: Backend) -> Frame:
    return abandoned_pages(frame, last=3)


def _bought_before() -> pd.DataFrame:
    rng, count = np.random.default_rng(0), 3000
    age = rng.integers(1, 400, count)
    frequency = np.minimum(rng.poisson(rng.gamma(0.5, 4, count)), age)
    recency = np.where(frequency > 0, np.maximum(1, (age * rng.random(count)).astype(int)), 0)
    average = rng.gamma(6, 1, count) / rng.gamma(4, 1 / 1500, count)
    columns = {"frequency": frequency, "recency": recency, "age": age, "average": average}
    return pd.DataFrame(columns)


def _worth(frame: Frame, backend: Backend) -> Frame:
    past = (frame["frequency"], frame["recency"], frame["age"])
    buying = BetaGeoModel(backend=backend).fit(*past)
    averaged = frame["frequency"] + 1
    spending = GammaGammaModel(backend=backend).fit(averaged, frame["average"])
    low, high = value_interval(
        *(buying, spending, 90, *past, frame["average"]), averaged_over=averaged
    )
    fewest, most = buying.purchases_interval(90, *past)
    return backend.frames.DataFrame(
        {
            "p_alive": buying.p_alive(*past),
            "expected_purchases": buying.expected_purchases(90, *past),
            "expected_average": spending.expected_average(averaged, frame["average"]),
            "fewest": fewest,
            "most": most,
            "value_low": low,
            "value_high": high,
        }
    )


def _lately(frame: Frame, backend: Backend) -> Frame:
    """Who was known twenty days before, with what they did before and after that."""
    _, cut, _ = pasts(frame, AS_OF, 20, backend, time_zone="Europe/Berlin", most=25)
    return cut.some


def _valued(frame: Frame, backend: Backend) -> Frame:
    """By models fitted on this device, and one of who leaves that was fitted anywhere."""
    churn = ChurnModel.of_document(
        {
            "features": ["days_since_last_order", "no_purchase_odds", "spreads_overdue"],
            "low": [0.0, -4.0, -5.0],
            "high": [4.0, 4.0, 20.0],
            "centre": [2.0, 0.0, 1.0],
            "spread": [1.0, 2.0, 3.0],
            "weights": [1.0, 1.5, 0.5],
            "intercept": -0.5,
            "knots": [[0.1, 0.4, 0.8], [0.05, 0.5, 0.9]],
        }
    )
    now, _, _ = pasts(frame, AS_OF, 20, backend, most=0)
    moves = Moves.of(frame, np.datetime64(AS_OF, "us"), backend, None)
    traits = buying_traits(moves).drop(columns="customer_key")
    customers = backend.frames.concat([histories_of(moves, time_zone="UTC"), traits], axis=1)
    return CustomerValueModel.fit(now, 20).with_churn(churn).predicted(customers)


def _stock_counts() -> pd.DataFrame:
    """Six weeks of two products at two places, one of which has no lead time."""
    rng, rows = np.random.default_rng(8), 24
    week, stock = np.arange(rows) // 4, np.arange(rows) % 4
    frame = pd.DataFrame(
        {
            "product_id": np.where(stock < 2, "p1", "p2"),
            "location": np.where(stock % 2, "south", "north"),
            "counted_at": START + pd.to_timedelta(7.0 * week, unit="D"),
            "on_hand": 200 - 30 * week + rng.integers(0, 9, rows),
            "on_order": rng.integers(0, 2, rows) * 10,
            "minimum_order": 6,
            "lead_time_days": np.where(stock == 3, np.nan, 10.0),
            "lead_time_days_spread": 1.5,
            "currency": "EUR",
        }
    ).sample(frac=1, random_state=1)
    whole = frame.reindex(columns=list(contract("inventory").names))
    numbers = [c.name for c in contract("inventory").columns if c.type == "int64"]
    return CPU.cast(whole.fillna(dict.fromkeys(numbers, 1)), contract("inventory"))


def _planned(counts: Frame, backend: Backend) -> Frame:
    days = np.arange(1, 15)
    forecast = pd.DataFrame({"product_id": "p1", "horizon": days, "mean": 1.5, "total_sd": days})
    sold = {"product_id": ["p1", "p2"], "day": START.floor("D"), "units": [3, 4]}
    plan = reorder_plan(
        backend.from_pandas(forecast.astype({"product_id": "str"})),
        counts,
        backend.from_pandas(pd.DataFrame(sold).astype({"product_id": "str"})),
        as_of=START.to_pydatetime() + timedelta(days=36),
        service_level=0.95,
        review_days=7,
        ended_after_days=56,
        backend=backend,
    )
    # What is as good as 0 differs in its last bits.
    return plan.assign(units_short=plan["units_short"].round(9))


CASES = {
    "abandoned pages": Case(_abandoned, _visits),
    "paths to purchases": Case(_paths, _visits),
    "paths, summed up": Case(_summary_of_paths, _visits),
    "products of one customer": Case(_bought_by_one, _order_lines),
    "related products": Case(_together, _order_lines),
    "retention": Case(_retained, _order_lines),
    "accepted rows": Case(_accepted, _landed),
    "rejected rows": Case(_rejected, _landed),
    "hashes of keys": Case(_keys, _landed),
    "texts with a pattern": Case(_with_digits, _texts),
    "assigned segments": Case(_assigned, _order_lines, rtol=1e-6),
    "customer value": Case(_worth, _bought_before, rtol=1e-5),
    "customers in a past": Case(_lately, _order_lines),
    "values of customers": Case(_valued, _order_lines, rtol=1e-5),
    "customer features": Case(_features, _order_lines),
    "customer features of every source": Case(_every_feature, _order_lines),
    "scores of customers": Case(_scores, _order_lines),
    "counts of journeys": Case(_funnel, _clicks),
    "journeys": Case(_journeys, _clicks),
    "strict journeys": Case(_strict_journeys, _clicks),
    "days of sessions": Case(_daily_funnel, _counted_sessions),
    "daily demand": Case(_demand, _order_lines),
    "demand forecast": Case(_forecast, _order_lines, rtol=1e-6),
    "reorder plan": Case(_planned, _stock_counts, rtol=1e-6),
    "settled lines": Case(settled, _order_lines),
    "amounts in one currency": Case(_in_euros, _paid_abroad, rtol=0),
    "business days": Case(_berlin_day, _order_lines),
    "bits": Case(_bits, _numbers),
    "cast": Case(_cast, _rates),
    "empty": Case(_empty, pd.DataFrame),
    "k-means centres": Case(_centres, _points, rtol=1e-6),
    "k-means labels": Case(_labels, _points),
    "sha64": Case(_sha64, _texts),
    "times": Case(_in_utc, _times),
    "times of a zone": Case(_from_berlin, _times),
}


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_both_devices_give_the_same_answer(name: str, gpu_backend: Backend) -> None:
    case = CASES[name]
    assert_frames_equal(case.on(gpu_backend), case.on(CPU), rtol=case.rtol)


@pytest.mark.parametrize("name", CASES)
def test_every_case_repeats_on_the_cpu_and_leaves_its_input_alone(name: str) -> None:
    case, frame = CASES[name], CASES[name].given()
    first = case.run(frame, CPU)
    assert_frames_equal(frame, case.given(), rtol=0)
    assert_frames_equal(case.run(frame, CPU), first, rtol=0)
