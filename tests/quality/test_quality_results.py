"""What was measured is kept exactly once, and read back worst first."""

from datetime import datetime, timedelta
from typing import Any

from quality_tables import put

from gpu_pipeline.contracts import contract, sources
from gpu_pipeline.quality.results import by_run, latest, record, results
from gpu_pipeline.quality.tables import table_measurements
from gpu_pipeline.quality.verdicts import Measurement, file_measurements
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake

DAY = datetime(2026, 1, 2)  # noqa: DTZ001


def measured(file: str, *, run: str, at: datetime = DAY, **failed: int) -> list[Measurement]:
    named = {"quantity": "quantity: missing", "many": "quantity: above 10000"}
    return file_measurements(
        contract("orders"),
        file_id=file,
        name=f"{file}.csv",
        rows=100,
        failed={named[name]: count for name, count in failed.items()},
        rejected=failed.get("quantity", 0),
        run_id=run,
        checked_as_of=at,
    )


def kept(lake: Lake, *measurements: Measurement) -> None:
    with lake.writer() as writer:
        record(lake, writer, measurements)


def failing(lake: Lake) -> dict[str, tuple[Any, ...]]:
    frame = latest(results(lake))
    bad = frame[frame["verdict"] != "passed"]
    return {row["rule"]: (row["verdict"], row["failed"], row["rows"]) for _, row in bad.iterrows()}


def test_nothing_was_measured_in_a_new_lake(lake: Lake) -> None:
    assert results(lake).empty
    assert latest(results(lake)).empty
    assert by_run(results(lake)).empty


def test_a_file_is_recorded_once_however_often_it_comes(lake: Lake) -> None:
    kept(lake, *measured("f1", run="a", quantity=3))
    before = lake.version("quality_results")
    kept(lake, *measured("f1", run="b", quantity=3))
    assert lake.version("quality_results") == before
    kept(lake, *measured("f1", run="b", quantity=3), *measured("f2", run="b"))
    assert set(results(lake)["subject_id"]) == {"f1", "f2"}
    assert len(results(lake)) == 2 * len(measured("f1", run="a"))


def test_the_last_load_counts_and_its_files_are_added_up(lake: Lake) -> None:
    kept(lake, *measured("f1", run="a", quantity=60))
    later = DAY + timedelta(days=1)
    kept(lake, *measured("f2", run="b", at=later, many=1), *measured("f3", run="b", quantity=2))
    assert failing(lake) == {
        "quantity: missing": ("rejected", 2, 200),
        "quantity: above 10000": ("warned", 1, 200),
    }
    worst_first = latest(results(lake))["verdict"].tolist()
    assert worst_first[:2] == ["rejected", "warned"]
    assert set(worst_first[2:]) == {"passed"}


def test_the_history_has_a_row_for_each_file_newest_first(lake: Lake) -> None:
    kept(lake, *measured("f1", run="a", quantity=60))
    kept(lake, *measured("f2", run="b", at=DAY + timedelta(days=1), many=1))
    history = by_run(results(lake, table="orders"))
    assert history["subject_name"].tolist() == ["f2.csv", "f1.csv"]
    assert history["verdict"].tolist() == ["warned", "stopped"]
    assert history["broken"].tolist() == [1, 2]
    assert results(lake, table="reviews").empty


def test_a_table_is_measured_anew_by_every_run(lake: Lake) -> None:
    put(lake, "products", [{"product_id": "lamp"}])
    put(lake, "reviews", [{"product_id": "lamp"}, {"product_id": "rug"}])
    for run in ("r1", "r2", "r2"):
        kept(lake, *table_measurements(lake, as_of=DAY, run_id=run))
    assert set(results(lake)["run_id"]) == {"r1", "r2"}
    assert failing(lake)["product_id: not in products"] == ("warned", 1, 2)
    put(lake, "products", [{"product_id": "rug"}])
    kept(lake, *table_measurements(lake, as_of=DAY, run_id="r3"))
    assert "product_id: not in products" not in failing(lake)


def test_a_stalled_feed_and_a_thin_day_are_told(lake: Lake) -> None:
    days = [DAY + timedelta(days=n) for n in range(10)]
    clicks = [{"occurred_at": day} for day in days[:9] for _ in range(3 if day == days[8] else 40)]
    put(lake, "clickstream", clicks)
    put(lake, "orders", [{"ordered_at": day} for day in days])
    found = {
        (one.contract, one.rule): one
        for one in table_measurements(lake, as_of=days[9] + timedelta(hours=1), run_id="r")
    }
    stalled = found["clickstream", "latest event: more than 24 hours before"]
    assert (stalled.verdict, stalled.measured) == ("warned", 25.0)
    thin = found["clickstream", "rows of the last whole day: under 50% of the usual"]
    assert (thin.verdict, thin.evidence) == ("warned", "3 rows, usual are 40")
    assert found["orders", "latest event: more than 48 hours before"].verdict == "passed"
    unasked = found["orders", "product_id: not in products"]
    assert (unasked.verdict, unasked.evidence) == ("not checked", "no table products")


def test_the_step_looks_at_every_source() -> None:
    step = next(step for step in STEPS if step.name == "quality")
    assert set(step.reads) == set(sources())
