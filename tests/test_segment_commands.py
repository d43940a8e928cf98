"""The commands around segments as a user types them: what they print, write and exit with."""

import json
from pathlib import Path

import pandas as pd
import pytest
from commands import Command, commands, without_progress
from lakes import put

from gpu_pipeline.contracts import contract
from gpu_pipeline.models import ModelCard, ModelRegistry
from gpu_pipeline.store import Lake


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls a command; gives its exit code, what it printed, and what it said beside that."""

    return without_progress(commands(monkeypatch, capsys))


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Thirty customers who order often and thirty who ordered once, and a row of nobody's."""
    often = [(f"a{n}", f"2026-06-{day:02}", 80 + n) for n in range(30) for day in (1, 9, 17, 25)]
    once = [(f"b{n}", f"2026-01-{n + 1:02}", 5 + n % 3) for n in range(30)]
    rows = [*often, *once, (None, "2026-01-01", 1)]
    path = tmp_path / "orders.csv"
    pd.DataFrame(rows, columns=["who", "date", "amount"]).to_csv(path, index=False)
    return path


def test_segment_prints_the_segments_and_counts_what_it_left_out(
    command: Command, orders: Path, tmp_path: Path
) -> None:
    output, refused = tmp_path / "out.csv", tmp_path / "no.csv"
    code, out, err = command(
        *("segment", orders, "--customer", "who", "--output", output, "--segments", 2),
        *("--rejected", refused, "--profiles", tmp_path / "profiles.jsonl"),
    )
    assert code == 0, err
    assert err.splitlines() == ["rejected, no customer: 1 rows", f"they are in {refused}"]
    assert "Taken as orders: time date, amount amount, order all of a moment" in out
    assert "60 customers of 150 usable rows as of 2026-06-25 00:00" in out
    assert "of revenue" in out
    found = pd.read_csv(output)
    assert found.groupby(found["who"].str[0])["segment"].agg(set).tolist() == [{0}, {1}]
    profiles = (tmp_path / "profiles.jsonl").read_text().splitlines()
    assert [json.loads(line)["customers"] for line in profiles] == [30, 30]
    for line in profiles:
        assert json.loads(line)["name"] in out


def test_segment_of_the_same_seed_and_moment_is_the_same_file(
    command: Command, orders: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{n}.csv" for n in range(3)]
    base = ("segment", orders, "--customer", "who", "--segments", 2, "--output")
    command(*base, files[0], "--seed", 3)
    command(*base, files[1], "--seed", 3, "--amount", "amount", "--time", "date")
    command(*base, files[2], "--seed", 3, "--as-of", "2026-06-20")
    texts = [file.read_text() for file in files]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_segment_as_of_a_moment_before_all_orders_says_so(
    command: Command, orders: Path, tmp_path: Path
) -> None:
    code, _, err = command(
        *("segment", orders, "--customer", "who", "--as-of", "2020-01-01"),
        *("--output", tmp_path / "out.csv"),
    )
    assert code == 1
    assert "bought anything until 2020-01-01 00:00:00: it has only returns, or" in err


def test_segment_of_features_takes_those_that_are_named(
    command: Command, orders: Path, tmp_path: Path
) -> None:
    people = pd.read_csv(orders).dropna().groupby("who")["amount"].agg(["sum", "size"])
    people.reset_index().to_csv(tmp_path / "people.csv", index=False)
    code, out, err = command(
        *("segment", tmp_path / "people.csv", "--customer", "who", "--segments", 2),
        *("--output", tmp_path / "out.parquet", "--features", "sum, size"),
    )
    assert (code, err) == (0, "")
    assert "Taken as features: sum, size" in out
    assert "of revenue" not in out


def test_what_is_wrong_is_one_line(command: Command, orders: Path, tmp_path: Path) -> None:
    code, _, err = command(
        "segment", orders, "--customer", "nobody", "--output", tmp_path / "out.csv"
    )
    said = "has no column 'nobody' (--customer); it has who, date, amount."
    assert (code, err) == (1, f"error: {orders} {said}")
    lake = Lake.create(tmp_path / "lake")
    (tmp_path / "ids.csv").write_text("customer_id\nann\n")
    code, _, err = command(
        *("export-segment", "--ids", tmp_path / "ids.csv", "--lake", lake.path),
        *("--output", tmp_path / "out.csv"),
    )
    assert code == 1
    assert err.endswith("has no segments yet: make them with `gpu-pipeline run`.")


def test_models_tells_what_is_in_use_and_why_another_is_not(
    command: Command, tmp_path: Path
) -> None:
    lake = Lake.create(tmp_path / "lake")
    table = contract("segment_profiles")
    with lake.writer() as writer:
        nobody = writer.write(lake.backend.empty(table), table)
        writer.commit(table, nobody, overwrite=True, note={"model": "run-0"})
    registry = ModelRegistry(lake.path / "models")
    facts = {"as_of": "2026-06-30T22:45:18", "device": "cpu", "code": "0f", "seed": 1}
    for number, published in enumerate((True, False, True)):
        card = ModelCard(
            kind="segments",
            model_id=f"run-{number}",
            data_versions={"customer_features": number},
            metrics={
                **{"stability": 0.9876, "choice": [1, 2], "is_good": published},
                **{"customers": 1990, "inertia": 2211.4, "notes": ["one note"]},
                "trial": {"churn": {"served": {"area_under_curve": 0.95}}},
            },
            is_published=published,
            reasons=() if published else ("stability 0.41 is below 0.8",),
            **facts,
        )
        registry.save({}, card)
    code, out, _ = command("models", "--lake", lake.path)
    assert code == 0
    used, other, old = (line for line in out.splitlines() if "run-" in line)
    assert "2026-06-30T22:45" in used
    assert "in use" in used
    assert "before" in old
    said = " ".join(out.replace(" in use ", " ").split())
    for number in ("stability 0.988, customers 1,990, inertia 2,211", "churn AUC 0.95; one note"):
        assert number in said
    assert "not taken: " in other
    cards = json.loads(command("models", "--lake", lake.path, "--json")[1])
    assert [card["model_id"] for card in cards] == ["run-0", "run-1", "run-2"]
    assert [card["is_in_use"] for card in cards] == [True, False, False]
    assert cards[1]["reasons"] == ["stability 0.41 is below 0.8"]


def test_a_lake_without_models_has_none(command: Command, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    assert command("models", "--lake", lake.path)[1] == "Models: none\n"
    assert command("models", "--lake", lake.path, "--json")[1] == "[]\n"


def test_an_export_that_knows_nobody_says_what_ids_it_wants(
    command: Command, tmp_path: Path
) -> None:
    lake = Lake.create(tmp_path / "lake")
    put(lake, "customer_segments", {"customer_key": 5, "segment": 0})
    put(lake, "customers", {"customer_key": 5})
    (tmp_path / "ids.csv").write_text("customer_id\nann\nbob\n")
    code, out, err = command(
        *("export-segment", "--ids", tmp_path / "ids.csv", "--lake", lake.path),
        *("--output", tmp_path / "out.csv"),
    )
    assert code == 0
    assert "2 rows of 2 ids (2 unknown)" in out
    assert err.startswith("None of these ids is known.")
