"""`gpu-pipeline quality` as a user types it."""

import json

import numpy as np
import pytest
from commands import Command, commands
from quality_tables import put
from test_baseline import START, orders

from gpu_pipeline.contracts import contract
from gpu_pipeline.quality.results import record
from gpu_pipeline.quality.tables import table_measurements
from gpu_pipeline.quality.verdicts import file_measurements
from gpu_pipeline.store import Lake


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: Lake
) -> Command:
    call = commands(monkeypatch, capsys)
    return lambda *words: call("quality", *words, "--lake", lake.path)


def measure(lake: Lake) -> None:
    put(lake, "products", [{"product_id": "lamp"}])
    put(lake, "reviews", [{"product_id": "lamp"}, {"product_id": "rug"}])
    found = file_measurements(
        contract("reviews"),
        file_id="f1",
        name="reviews.csv",
        rows=10,
        failed={"rating: above 5": 2},
        rejected=2,
        run_id="load",
        checked_as_of=START,
    )
    with lake.writer() as writer:
        record(lake, writer, [*found, *table_measurements(lake, as_of=START, run_id="run")])


def test_a_new_lake_says_what_to_do(command: Command) -> None:
    code, out, _ = command()
    assert code == 0
    assert "Nothing was checked yet: `gpu-pipeline ingest`" in out


def test_what_failed_is_shown_first_and_what_passed_is_counted(
    command: Command, lake: Lake
) -> None:
    measure(lake)
    code, out, _ = command()
    assert code == 0
    assert out.index("rating: above 5") < out.index("product_id: not in")
    assert "rug" in out
    assert "rating: below 1" not in out
    assert "rules passed." in out
    assert "rating: below 1" in command("reviews")[1]


def test_json_is_one_document_with_nulls(command: Command, lake: Lake) -> None:
    measure(lake)
    rows = json.loads(command("reviews", "--json")[1])
    assert rows[0]["rule"] == "rating: above 5"
    assert (rows[0]["verdict"], rows[0]["failed"], rows[0]["evidence"]) == ("rejected", 2, None)
    assert rows[0]["checked_as_of"] == "2026-01-01T00:00:00.000"
    history = json.loads(command("--history", "--json")[1])
    assert {row["subject_name"] for row in history} == {"reviews", "reviews.csv"}
    assert "reviews.csv" in command("--history")[1]


def test_drift_is_a_table_or_json(command: Command, lake: Lake) -> None:
    rng = np.random.default_rng(6)
    for file, dear in ((1, 0.0), (2, 1.0)):
        put(lake, "orders", orders(rng, file, first_day=10 * file, dear=dear))
    code, out, _ = command("orders", "--drift", "--baseline", "2026-01-21")
    assert code == 0
    assert "Drift of orders since 2026-01-21" in out
    assert "drifted" in out
    found = json.loads(command("orders", "--drift", "--baseline", "2026-01-21", "--json")[1])
    assert {one["column"] for one in found if one["drifted"]} == {"unit_price", "channel"}


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--drift",), "--drift wants a TABLE and a --baseline"),
        (("orders", "--drift"), "--drift wants a TABLE and a --baseline"),
        (("orders", "--baseline", "1"), "--baseline wants --drift"),
        (("orders", "--drift", "--baseline", "soon"), "is neither a version, such as 3"),
    ],
)
def test_wrong_usage_is_code_2(command: Command, words: tuple[str, ...], fault: str) -> None:
    code, _, err = command(*words)
    assert code == 2
    assert fault in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("nope",), "No contract for 'nope': there are"),
        (("orders", "--drift", "--baseline", "1"), "No table 'orders'"),
    ],
)
def test_a_named_error_is_code_1(command: Command, words: tuple[str, ...], fault: str) -> None:
    code, _, err = command(*words)
    assert code == 1
    assert fault in err
