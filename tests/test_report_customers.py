from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from lakes import put

from gpu_pipeline import Lake
from gpu_pipeline.report import Answers, answers, write_report
from gpu_pipeline.summary import show_answers

NAMES = {0: "champions", 1: "new"}


@pytest.fixture
def shop(lake: Lake) -> Lake:
    """Four customers in two segments, of which one has moved."""
    put(
        lake,
        "segment_profiles",
        *(
            {
                "segment": number,
                "name": name,
                "customers": 2,
                "orders": 3.0 - number,
                "currency": "EUR",
                "description": f"Do {name}.",
            }
            for number, name in NAMES.items()
        ),
    )
    put(
        lake,
        "segment_traits",
        {"segment": 0, "rank": 2, "feature": "orders", "text": "9 orders", "effect": 0.5},
        {"segment": 0, "rank": 1, "feature": "revenue", "text": "EUR 90 spent", "effect": 2.0},
        {"segment": 1, "rank": 1, "feature": "orders", "text": "1 order", "effect": -0.5},
        {"segment": 1, "rank": 2, "feature": "revenue", "text": "EUR 5 spent", "effect": -2.0},
    )
    put(
        lake,
        "segment_migration",
        *(
            {"from_segment": start, "to_segment": end, "from_name": "a", "customers": count}
            for start, end, count in ((0, 0, 9), (0, 1, 2), (1, 0, 5), (-2, 0, 7), (1, -2, 8))
        ),
    )
    keys = [-(2**62), -1, 5, 2**40]
    put(
        lake,
        "customer_segments",
        *({"customer_key": key, "segment": i % 2} for i, key in enumerate(keys)),
    )
    worth = ((1000.0, 0.25), (0.0, 1.0), (3000.0, 0.75), (400.0, 0.75))
    put(
        lake,
        "customer_value",
        *(
            {"customer_key": key, "expected_value": value, "churn_risk": risk}
            | {"is_churning": risk > 0.5, "currency": "EUR"}
            for key, (value, risk) in zip(keys, worth, strict=True)
        ),
    )
    return lake


def test_what_sets_a_segment_apart_is_told_strongest_first(shop: Lake) -> None:
    assert answers(shop).segments["apart"].tolist() == [
        "EUR 90 spent; 9 orders",
        "1 order; EUR 5 spent",
    ]


def test_moves_are_those_between_segments_the_largest_first(shop: Lake) -> None:
    moves = answers(shop).moves
    assert moves[["from_segment", "to_segment", "customers"]].to_numpy().tolist() == [
        [1, 0, 5],
        [0, 1, 2],
    ]


def test_what_a_segment_will_be_worth_is_the_mean_of_its_customers(shop: Lake) -> None:
    worth = answers(shop).worth.set_index("name")
    assert worth.index.tolist() == ["champions", "new", "all"]
    assert worth["customers"].tolist() == [2, 2, 4]
    assert worth["expected_value"].tolist() == pytest.approx([20.0, 2.0, 11.0])
    assert worth["value_share"].tolist() == pytest.approx([40 / 44, 4 / 44, 1.0])
    assert worth["churn_risk"].tolist() == [0.5, 0.875, 0.6875]
    assert worth["churning_share"].tolist() == [0.5, 1.0, 0.75]


def test_values_without_segments_are_told_of_nobody(lake: Lake) -> None:
    put(lake, "customer_value", {"customer_key": 5, "expected_value": 1.0, "currency": "EUR"})
    assert answers(lake).worth.empty


def test_the_page_says_what_to_do_and_shows_who_moved(shop: Lake, tmp_path: Path) -> None:
    page = write_report(shop, tmp_path / "page.html", answers=answers(shop)).read_text()
    for said in ("Do champions.", "EUR 90 spent; 9 orders", 'id="traits"', 'id="moves"', "90.9%"):
        assert said in page


def grown(lake: Lake, **changed: Any) -> Answers:
    """The answers after a run with one segment."""
    row = {"segment": 0, "name": "new", "customers": 9, "orders": 1.0, "currency": "EUR"}
    put(lake, "segment_profiles", row | changed)
    return replace(answers(lake), as_of=datetime.fromisoformat("2026-06-01"))


def test_before_there_is_a_run_to_compare_with_nobody_is_said_to_have_stayed(
    lake: Lake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = grown(lake, customers_before=None, growth=None)
    show_answers(found)
    said = capsys.readouterr().out
    assert "than before: there is nothing to compare with yet" in said
    assert "growth" not in said
    page = write_report(lake, tmp_path / "page.html", answers=found).read_text()
    assert ">Growth<" not in page


def test_segments_tell_how_they_have_grown(
    lake: Lake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = grown(lake, customers_before=8, growth=0.125)
    show_answers(found)
    said = capsys.readouterr().out
    assert "+12.5%" in said
    assert "than before: none" in said
    assert "+12.5%" in write_report(lake, tmp_path / "page.html", answers=found).read_text()
