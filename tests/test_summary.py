from datetime import datetime
from typing import Any

import pytest

from gpu_pipeline.pipeline import RunReport, StepReport
from gpu_pipeline.summary import show_run


def said_of(capsys: pytest.CaptureFixture[str], step: str, **facts: Any) -> str:
    """What the terminal shows of a run with one step, as one line."""
    show_run(
        RunReport(
            run_id="r2",
            as_of=datetime.fromisoformat("2026-06-01"),
            device="cpu: asked for",
            versions={},
            steps=(StepReport(name=step, status="done", seconds=1.0, facts=facts),),
        )
    )
    out = capsys.readouterr()
    return " ".join((out.out + out.err).split())


def test_a_model_that_stays_is_told_with_its_reason_and_a_way_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = said_of(capsys, "segments", kept="r1", why="61 % of the customers keep their segment")
    assert "segments: the model of run r1 stays: 61 % of the customers keep" in said
    assert "gpu-pipeline run --new-segments" in said


def test_a_value_without_a_model_or_a_trial_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "value: there is no model yet: too few" in said_of(capsys, "value", why="too few")
    assert "value: Not evaluated: short." in said_of(
        capsys, "value", notes=["Not evaluated: short."]
    )


def test_a_segment_that_is_renamed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    renamed = [{"segment": 2, "before": "new", "after": "loyal"}]
    said = said_of(capsys, "segments", renamed=renamed)
    assert "segment 2, 'new' before, is called 'loyal' now" in said


def test_a_usual_run_says_nothing_more(capsys: pytest.CaptureFixture[str]) -> None:
    said = said_of(capsys, "segments", names=["new"], renamed=[], refit=None)
    assert "segments:" not in said
