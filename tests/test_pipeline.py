import json
import random
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import doomed
import pytest
from frames import assert_frames_equal
from lakes import DERIVED, answers, assert_same_answers, copied, rows, served, tree, versions
from tiny_model import classifier_folder
from tiny_shop import DAYS, LAST, START, at, land, order, orders, shop, text

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.pipeline import RunReport, Step, Work, run
from gpu_pipeline.segmentation import NOWHERE
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake

KEY = "5ca1ab1e" * 8
SOURCES = (
    *("orders", "clickstream", "products", "inventory"),
    *("reviews", "feedback", "social", "support"),
)
# In the order in which they run: each after those that make what it reads.
NAMES = [
    "sessions",
    "funnel",
    "demand",
    "forecast",
    "reorder",
    "value",
    "sentiment",
    "quality",
    "features",
    "segments",
    "trends",
    "support",
    "products",
    "related",
    "publish",
]
OF_SEGMENTS = {"customer_segments", "segment_migration", "segment_profiles", "segment_traits"}
OF_TEXTS = [
    *("sentiment", "quality", "features", "segments"),
    *("trends", "support", "products", "publish"),
]


@pytest.fixture(scope="module")
def text_models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models that say different things."""
    return [classifier_folder(tmp_path_factory.mktemp("model"), seed=seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Lake:
    """A lake with orders, products and texts, of which nothing has been made."""
    folder = tmp_path_factory.mktemp("stocked")
    lake = Lake.create(folder / "lake", buckets=4, backend=backend, key=KEY)
    land(lake, {name: shop()[name] for name in SOURCES}, folder=folder / "landing")
    return lake


@pytest.fixture(scope="module")
def finished(
    stocked: Lake, tmp_path_factory: pytest.TempPathFactory, text_models: list[Path]
) -> Lake:
    """The same after a run of all steps."""
    lake = copied(stocked, tmp_path_factory.mktemp("finished") / "lake")
    with lake.backend.cluster():
        run(lake, STEPS, Config.load(segments=3, horizon=7, text_model=text_models[0]))
    return lake


@pytest.fixture
def config(text_models: list[Path]) -> Config:
    return Config.load(segments=3, horizon=7, text_model=text_models[0])


@pytest.fixture(autouse=True)
def cluster(backend: Backend) -> Iterator[None]:
    with backend.cluster():
        yield


def statuses(report: RunReport) -> dict[str, str]:
    return {step.name: step.status for step in report.steps}


def done(report: RunReport) -> list[str]:
    """The steps that were run; all others were up to date."""
    rest = {step.status for step in report.steps} - {"done"}
    assert rest <= {"up to date"}
    return [step.name for step in report.steps if step.status == "done"]


def test_steps_come_after_those_that_write_what_they_read(stocked: Lake, config: Config) -> None:
    given = list(STEPS)
    for seed in range(5):
        random.Random(seed).shuffle(given)
        order = [step.name for step in run(stocked, given, config, dry_run=True).steps]
        assert sorted(order) == sorted(NAMES)
        for first, later in [
            *((name, "features") for name in ("sessions", "sentiment")),
            ("features", "segments"),
            ("demand", "forecast"),
            *((name, "publish") for name in ("segments", "forecast", "sentiment")),
        ]:
            assert order.index(first) < order.index(later)


def test_steps_that_wait_for_each_other_are_refused(stocked: Lake, config: Config) -> None:
    def step(name: str, reads: str, writes: str) -> Step:
        return Step(name=name, reads=(reads,), writes=(writes,), run=_fails)

    circle = (
        step("first", "demand_daily", "demand_forecast"),
        step("second", "demand_forecast", "demand_daily"),
        step("free", "orders", "customer_features"),
    )
    with pytest.raises(PipelineError, match=r"Steps wait for each other: first, second\."):
        run(stocked, circle, config)
    # A step may read what it wrote the last time.
    alone = step("alone", "demand_daily", "demand_daily")
    assert statuses(run(stocked, [alone], config, dry_run=True)) == {"alone": "nothing to read"}


def test_what_a_step_uses_is_no_reason_to_run_it_and_one_to_run_it_again(
    tmp_path: Path, backend: Backend, config: Config
) -> None:
    def rate(day: float) -> dict[str, Any]:
        return {"currency": "USD", "day": at(day), "rate": 0.9}

    lake = Lake.create(tmp_path / "lake", buckets=4, backend=backend, key=KEY)
    land(lake, {"fx_rates": [rate(1)]}, folder=tmp_path / "rates")
    assert statuses(run(lake, STEPS, config, dry_run=True))["demand"] == "nothing to read"
    land(lake, {"orders": orders()}, folder=tmp_path / "orders")
    assert statuses(run(lake, STEPS, config))["demand"] == "done"
    assert statuses(run(lake, STEPS, config))["demand"] == "up to date"
    land(lake, {"fx_rates": [rate(2)]}, folder=tmp_path / "late")
    assert statuses(run(lake, STEPS, config))["demand"] == "done"


def _fails(work: Work) -> None:
    message = f"the step gave up at {work.as_of}"
    raise PipelineError(message)


def test_all_is_made_once_and_then_up_to_date(
    finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(finished, tmp_path / "lake")
    (record,) = (lake.path / "runs").glob("*.json")
    first = {step["name"]: step["status"] for step in json.loads(record.read_text())["steps"]}
    assert first == dict.fromkeys(NAMES, "done")
    before, snapshot = versions(lake), served(lake)
    report = run(lake, STEPS, config)
    assert statuses(report) == dict.fromkeys(NAMES, "up to date")
    assert (versions(lake), served(lake)) == (before, snapshot)
    # What a step said of its result is said again.
    assert report.steps[NAMES.index("segments")].facts["segments"] == 3


def test_new_orders_repeat_what_depends_on_them_and_no_more(
    finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(finished, tmp_path / "lake")
    # Within the days that were known, so that the moment stays.
    land(lake, {"orders": [order(900, 40, "c9", "lamp")]}, folder=tmp_path / "earlier")
    made = [
        *("demand", "forecast", "reorder", "value", "quality"),
        *("features", "segments", "products", "related"),
    ]
    assert done(run(lake, STEPS, config)) == [*made, "publish"]
    # And after them: every result that speaks of the moment is made again.
    land(lake, {"orders": [order(901, DAYS + 9, "c9", "lamp")]}, folder=tmp_path / "later")
    report = run(lake, STEPS, config)
    assert report.as_of == START + timedelta(days=DAYS + 9)
    assert set(done(report)) == {*made, "trends", "support", "publish"}
    assert lake.version("text_sentiment") == finished.version("text_sentiment")


def test_new_texts_are_scored_and_published_and_nothing_else_is_done(
    finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(finished, tmp_path / "lake")
    land(lake, {"reviews": [text("reviews", 9, 33, "c1", "rug", "bad")]}, folder=tmp_path / "new")
    assert done(run(lake, STEPS, config)) == OF_TEXTS
    # Later clicks move the moment, and with it what was known and what is forecast.
    click = {"event_id": "x", "occurred_at": LAST.isoformat(), "event_type": "view"}
    landing = {"clickstream": [{**click, "customer_id": "c1"}]}
    land(lake, landing, folder=tmp_path / "clicks")
    assert set(done(run(lake, STEPS, config))) == set(NAMES) - {"demand", "sentiment"}


@pytest.mark.parametrize(
    ("change", "repeated"),
    [
        ({"horizon": 3}, ["forecast", "reorder", "publish"]),
        ({"value_horizon": 14}, ["value", "publish"]),
        ({"service_level": 0.9}, ["reorder", "publish"]),
        ({"review_days": 14}, ["reorder", "publish"]),
        ({"segments": 4}, ["segments", "publish"]),
        ({"seed": 1}, ["segments", "publish"]),
        ({"text_model": 1}, OF_TEXTS),
        ({"workers": 2, "port": 1}, []),
    ],
)
def test_another_setting_repeats_its_step_and_what_depends_on_that(
    finished: Lake,
    config: Config,
    tmp_path: Path,
    text_models: list[Path],
    change: dict[str, Any],
    repeated: list[str],
) -> None:
    if "text_model" in change:
        change = {"text_model": text_models[change["text_model"]]}
    lake = copied(finished, tmp_path / "lake")
    changed = config.model_copy(update=change)
    assert statuses(run(lake, STEPS, changed, dry_run=True)) == {
        name: "would run" if name in repeated else "up to date" for name in NAMES
    }
    assert done(run(lake, STEPS, changed)) == repeated
    assert done(run(lake, STEPS, changed)) == []


def test_from_a_step_on_everything_is_repeated(
    finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(finished, tmp_path / "lake")
    report = run(lake, STEPS, config, from_step="forecast")
    assert done(report) == NAMES[NAMES.index("forecast") :]
    assert_same_answers(lake, finished)
    with pytest.raises(PipelineError, match=r"No step 'segment': there are sessions, funnel, .*"):
        run(lake, STEPS, config, from_step="segment")


def test_a_dry_run_foretells_and_writes_nothing(
    stocked: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(stocked, tmp_path / "lake")
    before = tree(lake.path)
    assert statuses(run(lake, STEPS, config, dry_run=True)) == dict.fromkeys(NAMES, "would run")
    assert tree(lake.path) == before
    without_texts = [step for step in STEPS if step.name != "sentiment"]
    run(lake, without_texts, config)
    landing = {"reviews": [text("reviews", 9, 33, "c1", "rug", "bad")]}
    land(lake, landing, folder=tmp_path / "new")
    before = tree(lake.path)
    foretold = run(lake, STEPS, config, dry_run=True)
    assert tree(lake.path) == before
    assert statuses(foretold)["demand"] == "up to date"
    wanted = {
        name: "done" if said == "would run" else said for name, said in statuses(foretold).items()
    }
    assert statuses(run(lake, STEPS, config)) == wanted


def test_what_has_no_source_is_not_made(backend: Backend, config: Config, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=4, backend=backend, key=KEY)
    with pytest.raises(PipelineError, match=r"Nothing has happened in .*: load files with"):
        run(lake, STEPS, config)
    land(lake, {"social": shop()["social"]}, folder=tmp_path / "posts")
    report = run(lake, STEPS, config)
    assert statuses(report) == dict.fromkeys(NAMES, "nothing to read") | {
        "quality": "done",
        "sentiment": "done",
        "trends": "done",
        "publish": "done",
    }
    of_texts = {"text_aspects", "text_sentiment"}
    of_trends = {"product_sentiment_daily", "rising_terms", "trend_alerts"}
    made = {table for table in DERIVED if lake.version(table) is not None}
    assert made == of_texts | of_trends


def test_the_moment_is_the_latest_event_and_never_the_clock(
    stocked: Lake, config: Config, tmp_path: Path
) -> None:
    assert run(stocked, STEPS, config, dry_run=True).as_of == LAST - timedelta(days=1)
    lake = copied(stocked, tmp_path / "lake")
    click = {"event_id": "x", "occurred_at": "2026-05-05T05:05:05.000005", "event_type": "view"}
    landing = {"clickstream": [{**click, "customer_id": "c1"}]}
    land(lake, landing, folder=tmp_path / "clicks")
    found = run(lake, STEPS, config, dry_run=True).as_of
    assert found == datetime(2026, 5, 5, 5, 5, 5, 5)  # noqa: DTZ001


def test_an_older_moment_gives_what_was_known_then(
    finished: Lake, config: Config, tmp_path: Path, backend: Backend
) -> None:
    then = START + timedelta(days=40, hours=18)
    past = Lake.create(tmp_path / "past", buckets=4, backend=backend, key=KEY)
    known = {name: [row for row in shop()[name] if _moment(row) <= then] for name in SOURCES}
    land(past, known, folder=tmp_path / "landing")
    run(past, STEPS, config, as_of=then)
    now = copied(finished, tmp_path / "now")
    # The same moment, as a clock in Kolkata shows it.
    kolkata = then.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=5.5)))
    report = run(now, STEPS, config, as_of=kolkata)
    assert report.as_of == then
    # Scores of later texts stay; what is served of them doesn't say.
    assert_same_answers(now, past, but=("text_sentiment", "text_aspects"))
    assert set(rows(past, "text_sentiment")["text_id"]) < set(
        rows(now, "text_sentiment")["text_id"]
    )
    # And back again, when segments know a moment before: who was there then, and who moved since.
    run(now, STEPS, config)
    found, wanted = answers(now), answers(finished)
    for table in wanted.keys() - OF_SEGMENTS:
        assert_frames_equal(found[table], wanted[table])
    moved = found["segment_migration"]
    assert moved["customers"].sum() == len(wanted["customer_segments"])
    newcomers = moved.loc[moved["from_segment"] == NOWHERE, "customers"].sum()
    assert newcomers == len(wanted["customer_segments"]) - len(rows(past, "customer_segments"))


def _moment(row: Any) -> datetime:
    times = ("occurred_at", "ordered_at", "created_at", "sent_at", "counted_at", "updated_at")
    return datetime.fromisoformat(next(row[name] for name in times if name in row))


def test_a_run_leaves_a_record_of_what_it_read_and_decided(
    finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(finished, tmp_path / "lake")
    calls: list[tuple[str, str]] = []
    report = run(
        lake,
        STEPS,
        config.model_copy(update={"horizon": 3}),
        progress=lambda step, what: calls.append((step, what)),
    )
    assert calls == [
        ("forecast", "started"),
        ("forecast", "done"),
        ("reorder", "started"),
        ("reorder", "done"),
        ("publish", "started"),
        ("publish", "done"),
    ]
    path = lake.path / "runs" / f"{report.run_id}.json"
    kept = json.loads(path.read_text(), parse_constant=_no_json)
    assert kept["run_id"] == report.run_id
    assert kept["device"] == "cpu: asked for"
    assert kept["as_of"] == "2026-03-01T09:00:00"
    assert kept["versions"]["orders"] == 1
    assert kept["versions"]["demand_forecast"] == finished.version("demand_forecast")
    assert [(step["name"], step["status"]) for step in kept["steps"]] == list(
        statuses(report).items()
    )
    forecast = kept["steps"][NAMES.index("forecast")]
    assert forecast["status"] == "done"
    assert forecast["seconds"] > 0
    assert forecast["facts"]["products"] == 3
    assert {path.suffix for path in (lake.path / "runs").iterdir()} == {".json"}
    note = lake.note("demand_forecast")
    assert note["run"] == report.run_id
    assert note["products"] == 3


def _no_json(constant: str) -> None:
    message = f"{constant} is no JSON"
    raise AssertionError(message)


def failing(name: str, error: Exception) -> list[Step]:
    """All steps, one of which writes something and fails before it commits."""

    def fails(work: Work) -> None:
        work.writer.write(work.read("orders").compute(), contract("orders"))
        raise error

    return [replace(step, run=fails) if step.name == name else step for step in STEPS]


def _last_record(lake: Lake, *, but: Collection[Path] = ()) -> dict[str, Any]:
    (path,) = set((lake.path / "runs").glob("*.json")) - set(but)
    found: dict[str, Any] = json.loads(path.read_text(), parse_constant=_no_json)
    return found


def _said(record: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in record["steps"]}


def test_a_step_that_fails_leaves_the_others_to_go_on_and_the_run_can_be_repeated(
    stocked: Lake, finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(stocked, tmp_path / "lake")
    message = r"Of 15 steps these failed, the others are done. demand: no such shop$"
    with pytest.raises(PipelineError, match=message):
        run(lake, failing("demand", PipelineError("no such shop")), config)
    record = _last_record(lake)
    assert not record["finished"]
    assert _said(record) == dict.fromkeys(NAMES, "done") | {
        "demand": "failed",
        "forecast": "nothing to read",
    }
    assert record["steps"][NAMES.index("demand")]["facts"] == {"error": "no such shop"}
    before = versions(lake)
    assert (before["demand_daily"], before["demand_forecast"]) == (None, None)
    report = run(lake, STEPS, config)
    assert report.finished
    assert done(report) == ["demand", "forecast", "reorder", "publish"]
    assert versions(lake)["customer_segments"] == before["customer_segments"]
    assert_same_answers(lake, finished)
    # What the failing step had written without committing is gone.
    assert len(list((lake.path / "tables" / "orders").rglob("*.parquet"))) == len(
        list((stocked.path / "tables" / "orders").rglob("*.parquet"))
    )


def test_what_depends_on_a_failed_step_keeps_what_it_had(
    finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(finished, tmp_path / "lake")
    land(lake, {"orders": [order(900, 40, "c9", "lamp")]}, folder=tmp_path / "new")
    with pytest.raises(PipelineError, match=r"features: no"):
        run(lake, failing("features", PipelineError("no")), config)
    assert versions(lake)["customer_segments"] == versions(finished)["customer_segments"]
    assert done(run(lake, STEPS, config)) == ["features", "segments", "publish"]


def test_a_bug_ends_the_run_and_its_text_is_not_kept(
    stocked: Lake, finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(stocked, tmp_path / "lake")
    with pytest.raises(RuntimeError, match="customer 4711 is odd"):
        run(lake, failing("forecast", RuntimeError("customer 4711 is odd")), config)
    record = _last_record(lake)
    assert _said(record) == {**dict.fromkeys(NAMES[:4], "done"), "forecast": "failed"}
    assert record["steps"][-1]["facts"] == {"error": "RuntimeError"}
    assert done(run(lake, STEPS, config)) == NAMES[NAMES.index("forecast") :]
    assert_same_answers(lake, finished)


def test_a_run_that_is_killed_goes_on_where_it_was(
    tmp_path: Path, backend: Backend, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = Lake.create(tmp_path / "fresh", buckets=2, backend=backend, key=KEY)
    land(fresh, {"orders": orders()}, folder=tmp_path / "landing")
    whole = copied(fresh, tmp_path / "whole")

    def until(call: int, lake: Lake) -> int | None:
        given = (lake.path, config.text_model)
        return doomed.calls_until(call, doomed.run_of_all_steps, *given, monkeypatch=monkeypatch)

    calls = until(0, whole)
    assert calls is not None
    wanted, was_served = answers(whole), served(whole)
    kept: set[int] = set()
    for number in _moments(calls, 20):
        lake = copied(fresh, tmp_path / f"killed-{number}")
        assert until(number, lake) is None
        complete = [step for step in STEPS if step.writes and _is_complete(step, lake)]
        before = {table: lake.version(table) for step in complete for table in step.writes}
        records = set((lake.path / "runs").glob("*.json"))
        assert until(0, lake) is not None
        said = _said(_last_record(lake, but=records))
        for step in complete:
            assert said[step.name] == "up to date"
            assert all(lake.version(table) == before[table] for table in step.writes)
        for table, frame in answers(lake).items():
            assert_frames_equal(frame, wanted[table])
        assert served(lake) == was_served
        assert list((lake.path / "writing").iterdir()) == []
        kept.add(len(complete))
    # From nothing to all but the publishing.
    assert {0, 8} < kept


def _moments(calls: int, count: int) -> list[int]:
    """As many of the calls, one drawn from each stretch of the run."""
    rng = random.Random(4)
    edges = [1 + calls * i // count for i in range(count + 1)]
    return [rng.randrange(*edge) for edge in pairwise(edges)]


def _is_complete(step: Step, lake: Lake) -> bool:
    prints = {lake.note(table).get("fingerprint") for table in step.writes}
    return len(prints) == 1 and None not in prints
