"""What the terminal and the page say of what changed, and that they say so when nothing did."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from lakes import put

from gpu_pipeline import Lake
from gpu_pipeline.report import Answers, answers, write_report
from gpu_pipeline.summary import show_answers

DAY = datetime.fromisoformat("2026-06-01")
ALERT = {
    "product_id": "p1",
    "aspect": "battery",
    "kind": "worse",
    "opened_at": DAY,
    "detected_at": DAY,
    "negative_share": 0.6,
    "usual_negative_share": 0.2,
    "people_a_day": 9.0,
    "usual_people_a_day": 3.0,
    "examples": '[["reviews", "r1"]]',
}


def found(lake: Lake) -> Answers:
    """The answers of a shop where people have said something."""
    row = {"product_id": "p1", "name": "Nova", "texts": 30, "negative": 0.2, "positive": 0.5}
    moods = pd.DataFrame([row])
    return replace(answers(lake), as_of=DAY, sentiment=moods)


def test_an_alert_is_told_with_its_size_and_a_text(
    lake: Lake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    put(lake, "trend_alerts", ALERT)
    put(lake, "reviews", {"review_id": "r1", "text": "dead after a day"})
    told = found(lake)
    show_answers(told)
    page = write_report(lake, tmp_path / "page.html", answers=told).read_text()
    terminal = " ".join(capsys.readouterr().out.split())
    assert "nothing beyond chance" not in terminal
    for said in ("from 20 % to 60 % negative, 3.0x as many people", "dead after a day"):
        assert said in told.alerts.to_string()
        assert said in page


def test_where_nothing_changed_that_is_said(
    lake: Lake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = found(lake)
    show_answers(told)
    assert "much more: nothing beyond chance." in capsys.readouterr().out
    assert (
        "Nothing beyond chance."
        in write_report(lake, tmp_path / "page.html", answers=told).read_text()
    )
