"""The step: who a segment was at the moment before, and what a refit must be worth."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from frames import assert_frames_equal
from lakes import answers, put, rows
from planted_customers import drifted, planted
from shoppers import shoppers

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import LakeError, PipelineError
from gpu_pipeline.models import ModelRegistry
from gpu_pipeline.pipeline import run
from gpu_pipeline.segmentation import FEATURES, NOWHERE
from gpu_pipeline.steps.segments import SEGMENTS
from gpu_pipeline.store import Lake
from gpu_pipeline.store.compaction import compact_tables

MONDAY = datetime.fromisoformat("2026-06-01")
WEEK = timedelta(days=7)
MADE = ("customer_segments", "segment_migration", "segment_profiles", "segment_traits")
Customers = pd.DataFrame


@pytest.fixture(autouse=True)
def cluster(backend: Backend) -> Iterator[None]:
    with backend.cluster():
        yield


@pytest.fixture
def at(lake: Lake) -> Callable[..., dict[str, Any]]:
    """Runs the step on these customers at a moment and says what it said."""
    put(lake, "orders", {"ordered_at": MONDAY - 9 * WEEK})

    def made(frame: Customers, moment: datetime, **settings: Any) -> dict[str, Any]:
        found = contract("customer_features")
        whole = shoppers(**{name: frame[name].to_numpy() for name in frame}).assign(as_of=moment)
        whole = whole.reindex(columns=list(found.names)).fillna({"currency": "EUR"})
        whole = whole.assign(**{n: MONDAY for n in ("first_order_at", "last_order_at")})
        required = [c.name for c in found.columns if c.required and c.type != "string"]
        whole = whole.fillna(dict.fromkeys(required, 0))
        with lake.writer() as writer:
            parts = writer.write(lake.backend.cast(whole, found), found)
            writer.commit(found, parts, overwrite=True)
        (report,) = run(
            lake, [SEGMENTS], Config.load(**{"segments": 4, **settings}), as_of=moment
        ).steps
        assert report.status == "done"
        return dict(report.facts)

    return made


def test_a_week_later_segments_are_who_they_were(lake: Lake, at: Callable[..., Any]) -> None:
    frame, kind = planted()
    # Fewer champions: what is usual in the shop then lies within a kind, and not between two.
    frame = frame[(kind != 0) | (frame.index < 100)].reset_index(drop=True)
    at(frame, MONDAY)
    before = rows(lake, "customer_segments").set_index("customer_key")
    assert rows(lake, "segment_migration").empty
    assert rows(lake, "segment_profiles")["growth"].isna().all()
    # Eight have gone, and nobody else is quite the same.
    facts = at(drifted(frame.iloc[8:], noise=0.02, seed=1), MONDAY + WEEK)
    after = rows(lake, "customer_segments").set_index("customer_key")
    both = before.join(after, how="inner", lsuffix="_before")
    assert (both["segment"] == both["segment_before"]).mean() > 0.95
    assert (both["name"] == both["name_before"]).mean() > 0.95
    assert facts["renamed"] == []
    assert facts["refit"]["agreement"] > 0.95
    assert "why" not in facts
    moved = rows(lake, "segment_migration")
    assert moved["customers"].sum() == len(frame)
    assert moved.loc[moved["to_segment"] == NOWHERE, "customers"].sum() == 8
    profiles = rows(lake, "segment_profiles")
    assert profiles["customers_before"].sum() == len(frame)
    wanted = profiles["customers"] / profiles["customers_before"] - 1
    assert_frames_equal(profiles["growth"], wanted.rename("growth"))


def test_who_is_asked_twice_at_a_moment_says_the_same_twice(
    lake: Lake, at: Callable[..., Any]
) -> None:
    frame, _ = planted()
    at(frame, MONDAY)
    later = drifted(frame, noise=0.05, seed=2)
    at(later, MONDAY + WEEK)
    first = answers(lake)
    at(later, MONDAY + WEEK)
    for table in MADE:
        assert_frames_equal(rows(lake, table), first[table])
    # An older moment knows nothing of a later one.
    at(frame, MONDAY - WEEK)
    assert rows(lake, "segment_migration").empty


def test_a_refit_that_changes_what_segments_mean_stays_away_until_it_is_asked_for(
    lake: Lake, at: Callable[..., Any]
) -> None:
    frame, _ = planted()
    at(frame, MONDAY)
    first = lake.note("customer_segments")["model"]
    # Another shop: no two kinds are as they were.
    other = planted(seed=5, noise=0.9)[0].assign(customer_key=frame["customer_key"])
    other = other.assign(orders=other["revenue"] % 40 + 1, discount_share=0.5)
    facts = at(other, MONDAY + WEEK)
    assert facts["kept"] == first == lake.note("customer_segments")["model"]
    assert "customers keep their segment" in facts["why"]
    cards = ModelRegistry(lake.path / "models").cards("segments")
    assert [card.is_published for card in cards if card.model_id != first] == [False]
    taken = at(other, MONDAY + WEEK, new_segments=True)
    assert "why" not in taken
    assert lake.note("customer_segments")["model"] != first
    # What was asked for stays when the moment is run once more.
    made = answers(lake)
    assert "why" not in at(other, MONDAY + WEEK)
    for table in MADE:
        assert_frames_equal(rows(lake, table), made[table])


def test_another_number_of_segments_is_what_was_asked_for(
    lake: Lake, at: Callable[..., Any]
) -> None:
    frame, _ = planted()
    at(frame, MONDAY)
    facts = at(frame, MONDAY + WEEK, segments=6)
    assert facts["segments"] == 6
    assert "why" not in facts


def test_the_moment_before_is_read_after_small_files_were_merged(
    lake: Lake, at: Callable[..., Any]
) -> None:
    frame, _ = planted()
    at(frame, MONDAY)
    found, said = contract("customer_segments"), lake.note("customer_segments")
    whole = lake.backend.cast(rows(lake, "customer_segments"), found)
    with lake.writer() as writer:
        halves = (whole[:90], whole[90:])
        written = [writer.write(half, found, number=i) for i, half in enumerate(halves)]
        parts = [part for some in written for part in some]
        scattered = writer.commit(found, parts, overwrite=True, note=said)
    with lake.writer() as writer:
        compact_tables(writer, ["customer_segments"], keep_days=0)
    with pytest.raises(LakeError, match="can't be read any more"):
        lake.read("customer_segments", version=scattered)
    at(frame, MONDAY + WEEK)
    moved = rows(lake, "segment_migration")
    assert (moved["from_segment"] == moved["to_segment"]).all()
    assert moved["customers"].sum() == len(frame)


def test_a_model_that_is_lost_is_one_clear_error_with_a_way_on(
    lake: Lake, at: Callable[..., Any]
) -> None:
    frame, _ = planted()
    at(frame, MONDAY)
    shutil.rmtree(lake.path / "models")
    with pytest.raises(
        PipelineError, match=r"no model segments/.*: there are none.*--new-segments"
    ):
        at(frame, MONDAY + WEEK)
    for asked in (True, False):
        at(frame, MONDAY + WEEK, new_segments=asked)
        assert rows(lake, "segment_migration").empty


def test_the_card_leads_from_the_table_to_the_data(lake: Lake, at: Callable[..., Any]) -> None:
    frame, _ = planted()
    at(frame, MONDAY, seed=3, segments=0)
    model_id = lake.note("customer_segments")["model"]
    card = ModelRegistry(lake.path / "models").card("segments", model_id)
    assert card.data_versions == {"customer_features": lake.version("customer_features")}
    assert (card.seed, card.as_of, card.is_published) == (3, MONDAY.isoformat(), True)
    assert (lake.path / "runs" / f"{card.model_id}.json").is_file()
    assert {one["n_segments"] for one in card.metrics["choice"]} == set(range(3, 13))
    said = (lake.path / "models" / "segments" / model_id / "model.json").read_text()
    assert json.loads(said)["preparation"]["features"] == list(FEATURES)
    # Numbers of all customers, of none alone.
    keys = {str(key) for key in frame["customer_key"]}
    assert not keys & set(said.replace(",", " ").split())


def test_no_file_of_a_model_is_written_twice(lake: Lake, at: Callable[..., Any]) -> None:
    frame, _ = planted()
    at(frame, MONDAY)
    folder = Path(lake.path / "models" / "segments")
    first = {path: path.read_bytes() for path in folder.rglob("*.json")}
    at(frame, MONDAY + WEEK)
    assert {path: path.read_bytes() for path in first} == first
