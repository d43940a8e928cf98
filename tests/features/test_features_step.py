"""The step that makes customer features: what it reads, and that nothing of it comes too early."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from customer_oracle import features_by_sql
from frames import assert_frames_equal
from lakes import rows
from tiny_model import classifier_folder
from tiny_shop import at, land, order, shop, text

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.features import SCORES, rfm_scores
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake

KEY = "ba5eba11" * 8
NEEDED = [step for step in STEPS if step.name in ("sessions", "sentiment", "features")]
# In the middle of a session of c1, between two messages of a case, after a product moved.
MOMENT = 30.0
Rows = list[dict[str, Any]]


def busy_shop() -> dict[str, Rows]:
    """The shop, with sessions, a case and a product that go on after the moment."""
    tables = {name: [dict(row) for row in of] for name, of in shop().items()}
    del tables["inventory"], tables["promotions"]
    minute = 1 / 1440
    tables["clickstream"] += [
        {**tables["clickstream"][1], "event_id": f"late{i}", "occurred_at": at(MOMENT + i * minute)}
        for i in range(-3, 4)
    ]
    tables["support"] += [
        {**text("support", 7 + i, day, "c1", "lamp", "bad"), "case_id": "k9", "opened_at": at(29)}
        for i, day in enumerate((29, 31))
    ]
    tables["products"] += [
        {**tables["products"][0], "category": category, "updated_at": at(day)}
        for category, day in [("light", 10), ("later", 31)]
    ]
    # A return of the next day, in time to take a sale back.
    tables["orders"] += [
        order(950, 29.5, "c1", "sofa", quantity=7),
        order(951, 30.4, "c1", "sofa", quantity=-7, line_type="return"),
    ]
    return tables


def until(tables: Mapping[str, Rows], day: float) -> dict[str, Rows]:
    """What had been known of the shop by the day."""
    kept = {}
    for name, of in tables.items():
        time = contract(name).event_time or ""
        kept[name] = [row for row in of if datetime.fromisoformat(row[time]) <= _moment(day)]
    return kept


def _moment(day: float) -> datetime:
    return datetime.fromisoformat(at(day))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = classifier_folder(tmp_path_factory.mktemp("model"), seed=0)
    return Config.load(text_model=folder)


@pytest.fixture(autouse=True)
def cluster(backend: Backend) -> Iterator[None]:
    with backend.cluster():
        yield


def made(
    folder: Path, tables: Mapping[str, Rows], config: Config, backend: Backend, **lake: Any
) -> Lake:
    """A lake of these tables, with the features as of the moment."""
    found = Lake.create(folder / "lake", backend=backend, key=KEY, **{"buckets": 4, **lake})
    land(found, tables, folder=folder / "landing")
    run(found, NEEDED, config, as_of=_moment(MOMENT))
    return found


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, config: Config, backend: Backend) -> Lake:
    """The lake of the busy shop."""
    with backend.cluster():
        return made(tmp_path_factory.mktemp("busy"), busy_shop(), config, backend)


def test_what_comes_later_changes_no_feature(
    busy: Lake, tmp_path: Path, config: Config, backend: Backend
) -> None:
    known = made(tmp_path, until(busy_shop(), MOMENT), config, backend)
    for source in ("orders", "clickstream", "products", "support"):
        assert busy.rows(source) > known.rows(source)
    found = rows(busy, "customer_features")
    assert_frames_equal(found, rows(known, "customer_features"))
    # What went on is there as it was: an open case, a session so far, the category then.
    first = found.sort_values("orders").iloc[-1]
    assert first["open_cases"] == first["support_cases"] == 1
    assert first["favourite_category"] == "light"
    assert first["sessions"] > 0


def test_buckets_change_nothing(
    busy: Lake, tmp_path: Path, config: Config, backend: Backend
) -> None:
    whole = made(tmp_path, busy_shop(), config, backend, buckets=1)
    assert_frames_equal(rows(whole, "customer_features"), rows(busy, "customer_features"))


def test_scores_compare_all_customers_of_the_run(busy: Lake) -> None:
    found = rows(busy, "customer_features")
    wanted = rfm_scores(found)[["customer_key", *SCORES]]
    assert_frames_equal(found[["customer_key", *SCORES]], wanted)
    assert set(found["revenue_score"]) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("without", "unknown", "known"),
    [
        ("clickstream", ["sessions", "views", "conversion"], ["texts", "categories"]),
        ("products", ["categories", "favourite_category"], ["sessions", "support_cases"]),
        ("support", ["support_cases", "open_cases"], ["sessions", "texts"]),
    ],
)
def test_what_a_missing_source_would_tell_is_not_known(
    tmp_path: Path,
    config: Config,
    backend: Backend,
    without: str,
    unknown: list[str],
    known: list[str],
) -> None:
    tables = busy_shop()
    del tables[without]
    found = rows(made(tmp_path, tables, config, backend), "customer_features")
    assert found[unknown].isna().all(axis=None)
    assert found[known].notna().all(axis=None)


def test_features_of_a_moment_are_those_of_plain_sql(busy: Lake) -> None:
    wanted = features_by_sql(
        rows(busy, "orders"),
        _moment(MOMENT),
        products=busy.read("products", as_of=_moment(MOMENT)).compute(),
        sessions=rows(busy, "sessions"),
        texts=rows(busy, "text_sentiment"),
        messages=rows(busy, "support"),
    )
    assert_frames_equal(rows(busy, "customer_features"), wanted)
