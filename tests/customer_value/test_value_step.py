"""The step that makes customer_value: on a shop with a planted truth, and on shops too small."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from frames import assert_frames_equal
from lakes import copied, rows
from tiny_shop import START, land, order

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.customer_value.churn import buying_traits
from gpu_pipeline.customer_value.histories import histories_of
from gpu_pipeline.customer_value.valuing import CustomerValueModel
from gpu_pipeline.exchange import RATE_COLUMNS, ExchangeRates
from gpu_pipeline.features.moves import Moves
from gpu_pipeline.ingest import ingest
from gpu_pipeline.models import ModelRegistry
from gpu_pipeline.orders import LINE_COLUMNS
from gpu_pipeline.pipeline import StepReport, run
from gpu_pipeline.privacy import token
from gpu_pipeline.steps.value import VALUE
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import generate

KEY = "f005ba11" * 8
HORIZON = 45
Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def cluster(backend: Backend) -> Iterator[None]:
    with backend.cluster():
        yield


def valued(lake: Lake, *, horizon: int, day: float | None = None) -> StepReport:
    """Brings the table up to date, as of that day of the tiny shop or of the last order."""
    as_of = None if day is None else START + timedelta(days=day)
    (report,) = run(lake, [VALUE], Config.load(value_horizon=horizon), as_of=as_of).steps
    return report


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated shop of a year."""
    folder = tmp_path_factory.mktemp("made")
    generate(folder, customers=1500, days=360, seed=0)
    return folder


@pytest.fixture(scope="module")
def planted(landing: Path, tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Lake:
    """Its orders in a lake in euros, with the value of the next 45 days."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "landing").mkdir()
    for name in ("orders.csv.gz", "fx_rates.csv"):
        shutil.copy(landing / name, folder / "landing" / name)
    lake = Lake.create(folder / "lake", buckets=4, backend=backend, key=KEY, currency="EUR")
    with backend.cluster():
        ingest(lake, folder / "landing")
        valued(lake, horizon=HORIZON)
    return lake


def test_every_customer_has_a_row_whose_numbers_can_be(planted: Lake) -> None:
    found = rows(planted, "customer_value")
    table = contract("customer_value")
    assert found.dtypes.to_dict() == planted.backend.empty(table).dtypes.to_dict()
    assert not found.isna().any(axis=None)
    assert found["customer_key"].is_unique
    for name in ("p_alive", "churn_risk"):
        assert found[name].between(0, 1).all()
    assert (found["is_churning"] == (found["churn_risk"] > 0.5)).all()
    assert (found["expected_purchases"] > 0).all()
    assert (found["value_low"] >= 0).all()
    assert (found["value_low"] <= found["value_high"]).all()
    assert set(found["horizon_days"]) == {HORIZON}
    assert set(found["currency"]) == {"EUR"}
    facts = planted.note("customer_value")
    assert facts["customers"] == len(found)
    assert facts["churning"] == found["is_churning"].sum()
    assert facts["expected_value"] == pytest.approx(found["expected_value"].sum())


def test_the_churn_flag_is_calibrated_and_tells_more_than_recency(planted: Lake) -> None:
    (card,) = ModelRegistry(planted.path / "models").cards("customer_value")
    churn = card.metrics["trial"]["churn"]
    served, recency, alone = (churn[name] for name in ("served", "recency", "bg_nbd"))
    assert served == churn["logistic"]
    assert served["calibration_error"] <= 0.03
    assert served["area_under_curve"] >= recency["area_under_curve"] + 0.02
    assert served["brier"] < min(recency["brier"], alone["brier"])


def test_values_beat_that_everybody_repeats_the_last_period(planted: Lake) -> None:
    (card,) = ModelRegistry(planted.path / "models").cards("customer_value")
    trial = card.metrics["trial"]
    for what in ("purchases", "value"):
        model, last = (trial[what][name] for name in ("model", "last_period"))
        assert model["mean_absolute_error"] < last["mean_absolute_error"]
        assert model["top_decile_share"] > last["top_decile_share"]
    shares = [row["share"] for row in trial["deciles"]]
    assert sum(shares) == pytest.approx(1)
    assert shares[0] > 0.5
    assert trial["interval_coverage"] > 0.77
    facts = planted.note("customer_value")
    assert facts["top_decile_lift"] == pytest.approx(10 * shares[0])
    assert facts["judged_on"] == trial["customers"] < facts["customers"]


def test_who_was_planted_to_stay_stays_and_who_left_is_seen_to(
    planted: Lake, landing: Path
) -> None:
    truth = pq.read_table(landing / "truth" / "customers.parquet").to_pandas()
    keys = [token(name, key=KEY, kind="customer") for name in truth["customer_id"]]
    found = rows(planted, "customer_value").merge(truth.assign(customer_key=keys))
    share = found.groupby("segment")["is_churning"].mean()
    assert share["champions"] < 0.05
    assert share["slipping away"] > 0.95
    assert share["bargain hunters"] > 0.95
    value = found.groupby("segment")["expected_value"].mean()
    assert value["champions"] > value["loyal"] > 20 * value["bargain hunters"]


def test_the_table_is_what_the_kept_model_says_of_all_orders(planted: Lake) -> None:
    backend, model_id = planted.backend, planted.note("customer_value")["model"]
    registry = ModelRegistry(planted.path / "models")
    card = registry.card("customer_value", model_id)
    assert card.is_published
    assert card.data_versions == {name: planted.version(name) for name in ("orders", "fx_rates")}
    document = registry.load("customer_value", model_id)
    model = CustomerValueModel.of_document(document, backend=backend)
    lines = planted.read("orders", list(LINE_COLUMNS)).compute().reset_index(drop=True)
    quoted = planted.read("fx_rates", list(RATE_COLUMNS)).compute()
    moment = np.datetime64(card.as_of, "us")
    moves = Moves.of(lines, moment, backend, ExchangeRates.of(quoted, currency="EUR"))
    customers = histories_of(moves, time_zone="UTC")
    traits = buying_traits(moves).drop(columns="customer_key")
    wanted = model.predicted(pd.concat([customers, traits], axis=1))
    found = rows(planted, "customer_value")
    assert_frames_equal(found[list(wanted.columns)], wanted)
    assert (found["purchases"] == customers["frequency"] + 1).all()
    assert (found["as_of"] == moment).all()


@pytest.fixture
def lake_of(tmp_path: Path, backend: Backend) -> Callable[[Rows], Lake]:
    """Makes a lake of some orders."""

    def make(sold: Rows) -> Lake:
        lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend, key=KEY)
        land(lake, {"orders": sold}, folder=tmp_path / "landing")
        return lake

    return make


def like_clockwork() -> Rows:
    """120 customers who come every tenth day: nothing beats that they will again."""
    return [
        order(20 * who + time, 10 * time, f"c{who}", "lamp")
        for who in range(120)
        for time in range(12)
    ]


def test_a_model_that_is_no_better_than_the_last_period_gives_way_to_the_one_before(
    lake_of: Callable[[Rows], Lake], tmp_path: Path
) -> None:
    lake = lake_of(like_clockwork())
    first = valued(lake, horizon=30, day=45).facts
    assert first["notes"] == ["Not evaluated: orders reach back 45 days; 60 are needed."]
    (earlier,) = ModelRegistry(lake.path / "models").cards("customer_value")
    assert earlier.is_published
    other = copied(lake, tmp_path / "other")
    found = valued(lake, horizon=30).facts
    assert found["why"].startswith("Over the last 30 days, its value of a customer was off by ")
    assert found["kept"] == earlier.model_id == lake.note("customer_value")["model"]
    assert lake.rows("customer_value") == found["customers"] == 120
    cards = ModelRegistry(lake.path / "models").cards("customer_value")
    told = {card.model_id: (card.is_published, len(card.reasons)) for card in cards}
    assert told.pop(earlier.model_id) == (True, 0)
    assert list(told.values()) == [(False, 1)]
    assert valued(lake, horizon=30).status == "up to date"
    # Of another horizon, or of a later moment, the one before knows nothing, or too much.
    assert valued(other, horizon=40).facts.keys() >= {"why"}
    assert other.rows("customer_value") == 0
    assert "10 are needed" in valued(lake, horizon=30, day=5).facts["why"]
    assert lake.rows("customer_value") == 0


def test_where_nothing_can_be_fitted_any_more_the_model_before_says_what_it_is_about(
    lake_of: Callable[[Rows], Lake],
) -> None:
    lake = lake_of(like_clockwork())
    earlier = valued(lake, horizon=30, day=45).facts
    sold, found = rows(lake, "orders"), contract("orders")
    few = sold[sold["customer_key"].isin(sold["customer_key"].unique()[:5])]
    with lake.writer() as writer:
        writer.commit(found, writer.write(few, found), overwrite=True)
    facts = valued(lake, horizon=30, day=46).facts
    assert facts["why"].startswith("5 customers bought on more than one day")
    assert facts["customers"] == lake.rows("customer_value") == 5
    assert facts["horizon_days"] == earlier["horizon_days"] == 30


def test_without_a_model_before_it_the_table_is_empty_and_says_why(
    lake_of: Callable[[Rows], Lake],
) -> None:
    lake = lake_of(like_clockwork())
    report = valued(lake, horizon=30)
    assert report.status == "done"
    assert "that each repeats what they did" in report.facts["why"]
    assert (lake.rows("customer_value"), lake.note("customer_value")["model"]) == (0, None)
    assert valued(lake, horizon=30).status == "up to date"


@pytest.mark.parametrize(
    "sold",
    [
        [order(1, 3, "c1", "lamp")],
        [order(1, 3, "", "lamp")],
        [order(number, number % 50, f"c{number}", "lamp") for number in range(150)],
        [order(number, 3, "c1", "lamp", line_type="fee") for number in range(3)],
    ],
    ids=["one customer", "a guest", "everybody once", "no sale"],
)
def test_a_shop_that_tells_nothing_of_repeat_buying_has_no_values_and_says_so(
    lake_of: Callable[[Rows], Lake], sold: Rows
) -> None:
    lake = lake_of(sold)
    why = valued(lake, horizon=14).facts["why"]
    assert why.startswith("0 customers bought on more than one day: at least 10 are needed")
    assert lake.rows("customer_value") == 0
    assert ModelRegistry(lake.path / "models").cards("customer_value") == []
