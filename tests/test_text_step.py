from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import doomed
import pandas as pd
import pytest
from frames import assert_frames_equal
from lakes import copied, rows
from tiny_model import classifier_folder
from tiny_shop import LAST, at, land, text

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.pipeline import run
from gpu_pipeline.privacy import token
from gpu_pipeline.quality.unscored import unscored_measurements
from gpu_pipeline.steps.texts import SENTIMENT
from gpu_pipeline.store import Lake
from nlp.errors import ModelError
from nlp.training.intents import train_intents

KEY = "7e475ca1" * 8
GERMAN = "Das Paket kam erst nach drei Wochen an."
TABLES = ("text_sentiment", "text_aspects")
SAID = (
    "great screen, awful battery",
    "the phone is okay",
    GERMAN,
    "",
    "bad delivery",
    "so good /s",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Lake:
    """A lake with texts of three months, of which none has a score."""
    folder = tmp_path_factory.mktemp("fresh")
    lake = Lake.create(folder / "lake", buckets=2, backend=backend, key=KEY)
    written = [
        text("reviews", i, 15 * i, f"c{i}", "lamp", said or "@bob") for i, said in enumerate(SAID)
    ]
    land(lake, {"reviews": written}, folder=folder / "landing")
    return lake


@pytest.fixture(autouse=True)
def cluster(backend: Backend):
    with backend.cluster():
        yield


def scored(lake: Lake, model: Path) -> None:
    run(lake, [SENTIMENT], Config.load(text_model=model))


def test_what_can_not_be_read_has_no_label_and_aspects_lie_beside(
    fresh: Lake, model: Path, tmp_path: Path
) -> None:
    lake = copied(fresh, tmp_path / "lake")
    scored(lake, model)
    found = rows(lake, "text_sentiment").set_index("text_id")
    assert found["unscored"].dropna().to_dict() == {"reviews2": "language", "reviews3": "empty"}
    assert found["language"]["reviews2"] == "de"
    without = found[found["unscored"].notna()]
    assert without[["negative", "neutral", "positive", "label"]].isna().all(axis=None)
    assert list(found.index[found["certain"]].sort_values()) == ["reviews0", "reviews1", "reviews4"]
    assert lake.note("text_sentiment")["without_label"] == {"language": 1, "empty": 1}
    aspects = rows(lake, "text_aspects")
    assert set(zip(aspects["text_id"], aspects["aspect"], strict=True)) == {
        ("reviews0", "screen"),
        ("reviews0", "battery"),
        ("reviews4", "delivery"),
    }


def test_a_killed_run_goes_on_where_it_was_and_says_nothing_twice(
    fresh: Lake, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def until(call: int, lake: Lake) -> int | None:
        return doomed.calls_until(call, doomed.sentiment, lake.path, model, monkeypatch=monkeypatch)

    whole = copied(fresh, tmp_path / "whole")
    calls = until(0, whole)
    assert calls is not None
    wanted = {table: rows(whole, table) for table in TABLES}
    left: set[int] = set()
    for share in (0.75, 0.9):
        lake = copied(fresh, tmp_path / f"killed-{share}")
        assert until(int(calls * share), lake) is None
        has_any = lake.version("text_sentiment") is not None
        left.add(lake.rows("text_sentiment") if has_any else 0)
        scored(lake, model)
        for table in TABLES:
            assert_frames_equal(rows(lake, table), wanted[table])
    # Some were killed with a part of the texts done.
    assert left - {0, len(SAID)}, left


def test_progress_is_told_as_texts_done_of_all(fresh: Lake, model: Path, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    lake = copied(fresh, tmp_path / "lake")
    run(
        lake,
        [SENTIMENT],
        Config.load(text_model=model),
        progress=lambda what, state: told.append((what, state)),
    )
    assert told[0] == ("sentiment", "started")
    assert told[-2:] == [("sentiment", "6 of 6 texts"), ("sentiment", "done")]


def test_messages_to_support_get_the_intents_of_the_model_that_is_set(
    tmp_path: Path, backend: Backend, model: Path
) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend, key=KEY)
    asked = ("it is broken", "please reset it", "@bob")
    written = [text("support", i, i, f"c{i}", "lamp", said) for i, said in enumerate(asked)]
    land(lake, {"support": written}, folder=tmp_path / "landing")
    said = [f"{word} {i}" for i in "abcdefghij" for word in ("broken", "reset")]
    own = train_intents(said, ["fault", "access"] * 10)
    own.save(tmp_path / "intents")
    report = run(
        lake, [SENTIMENT], Config.load(text_model=model, intent_model=tmp_path / "intents")
    )
    assert report.steps[0].facts["intents_version"] == own.version
    found = rows(lake, "text_sentiment").set_index("text_id")["intent"].dropna()
    assert found.to_dict() == {"support0": "fault", "support1": "access"}
    with pytest.raises(ModelError, match="No intent model"):
        run(lake, [SENTIMENT], Config.load(text_model=model, intent_model=tmp_path))


def test_the_share_without_sentiment_is_measured_by_source_and_country(
    tmp_path: Path, backend: Backend, model: Path
) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend, key=KEY)
    people = [
        {
            **{"customer_id": f"c{i}", "signed_up_at": at(0), "updated_at": at(0)},
            **{"country": "DE" if i < 30 else "GB", "marketing_consent": "true"},
        }
        for i in range(60)
    ]
    written = [
        text("reviews", i, 2, f"c{i}", "lamp", GERMAN if i < 15 else "the phone is great")
        for i in range(60)
    ]
    landing = {"customers": people, "reviews": written}
    land(lake, landing, folder=tmp_path / "landing")
    assert unscored_measurements(lake, as_of=LAST, run_id="r") == []
    scored(lake, model)
    found = unscored_measurements(lake, as_of=LAST + timedelta(days=1), run_id="r")
    assert {one.rule: (one.rows, one.failed, one.verdict) for one in found} == {
        "no sentiment: reviews, DE": (30, 15, "warned"),
        "no sentiment: reviews, GB": (30, 0, "passed"),
    }


def test_scores_of_before_there_were_languages_are_kept_and_go_on(
    fresh: Lake, model: Path, tmp_path: Path
) -> None:
    lake = copied(fresh, tmp_path / "lake")
    names = ("language", "certain", "unscored", "intent", "intent_score")
    now = contract("text_sentiment")
    older = [
        replace(column, required=column.name != "product_id")
        for column in now.columns
        if column.name not in names
    ]
    before = replace(now, version="1.0.0", columns=tuple(older))
    put_as(lake, before, [_score(lake, 0), _score(lake, 2)])
    scored(lake, model)
    found = rows(lake, "text_sentiment").set_index("text_id")
    assert set(found.index) == {f"reviews{i}" for i in range(len(SAID))}
    kept = found.loc[["reviews0", "reviews2"]]
    assert kept["model_version"].tolist() == ["older", "older"]
    assert (kept["language"].tolist(), kept["certain"].tolist()) == (["und"] * 2, [True] * 2)
    assert kept["unscored"].isna().all()
    assert found["unscored"].dropna().to_dict() == {"reviews3": "empty"}
    # What has a score keeps it, and gets its aspects with the next one.
    assert set(rows(lake, "text_aspects")["text_id"]) == {"reviews4"}
    run(lake, [SENTIMENT], Config.load(text_model=model), from_step="sentiment")
    again = rows(lake, "text_sentiment").set_index("text_id")
    assert again["unscored"].dropna().to_dict() == {"reviews2": "language", "reviews3": "empty"}
    assert set(rows(lake, "text_aspects")["text_id"]) == {"reviews0", "reviews4"}


def put_as(lake: Lake, table: Contract, found: Sequence[dict[str, Any]]) -> None:
    """Commits rows under a contract of another time."""
    with lake.writer() as writer:
        frame = lake.backend.cast(pd.DataFrame(found), table)
        writer.commit(table, writer.write(frame, table))


def _score(lake: Lake, number: int) -> dict[str, Any]:
    key = token(f"c{number}", key=lake.key, kind="customer")
    return {
        **{"source": "reviews", "text_id": f"reviews{number}"},
        **{"customer_key": key, "key_kind": "customer"},
        **{"created_at": datetime.fromisoformat(at(15 * number)), "product_id": "lamp"},
        **{"negative": 0.2, "neutral": 0.2, "positive": 0.6, "label": "positive"},
        "model_version": "older",
    }
