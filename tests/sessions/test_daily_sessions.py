"""Sessions made day by day are those of one run over everything, whatever happened in between."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import doomed
import numpy as np
import pandas as pd
import pytest
from click_lakes import CPU, KEY, START, add, click_lake, clicks, made, tables
from dask import config as dask_config
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from lakes import copied

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.governance import rotate_key
from gpu_pipeline.sessions import SessionRule
from gpu_pipeline.steps import session_buckets
from gpu_pipeline.store import Lake, compact_tables, remove_old_files

GROWN = "from what came since"
TABLES = ("sessions", "open_sessions")
# Four days in steps of ten minutes: sessions, caps on their length, and long pauses.
EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 4 * 144), st.sampled_from(["view", "purchase"])),
    min_size=1,
    max_size=30,
)
WHAT_NEXT = st.sampled_from(["load", "load", "compact", "compact and forget", "nothing"])


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    with dask_config.set(scheduler="synchronous"):
        yield


def frame_of(events: list[tuple[int, int, str]], first: int) -> pd.DataFrame:
    who, steps, kinds = zip(*events, strict=True)
    return clicks(
        who, [10 * step for step in steps], kind=kinds, first=first, price=250, currency="EUR"
    )


def assert_same_sessions(lake: Lake, wanted: Lake) -> None:
    found, others = tables(lake), tables(wanted)
    for name, frame in others.items():
        assert_frames_equal(found[name], frame)


def compacted(lake: Lake, *, keep_days: float = 7) -> None:
    with lake.writer() as writer:
        compact_tables(writer, lake.tables(), keep_days=keep_days)


@settings(deadline=None, max_examples=8)
@given(st.lists(st.tuples(EVENTS, WHAT_NEXT), min_size=1, max_size=4), st.booleans())
def test_any_loads_in_any_order_give_the_tables_of_one_run(
    loads: list[tuple[list[tuple[int, int, str]], str]], is_tight: bool
) -> None:
    rule = SessionRule(most_events=3) if is_tight else SessionRule()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(session_buckets, "RULE", rule)
        frames = [frame_of(events, 100 * number) for number, (events, _) in enumerate(loads)]
        lake = click_lake(Path(folder) / "grown")
        for frame, (_, what) in zip(frames, loads, strict=True):
            add(lake, frame)
            if what.startswith("compact"):
                compacted(lake, keep_days=0 if "forget" in what else 7)
            if what != "nothing":
                made(lake)
        made(lake)
        whole = click_lake(Path(folder) / "whole", pd.concat(frames))
        assert made(whole)["made"] == "anew"
        assert_same_sessions(lake, whole)
        rows = lake.history("sessions")[0]["rows"]
        assert rows == len(tables(whole)["sessions"])


def day(number: int, *, visitors: int = 40) -> pd.DataFrame:
    """A day's visits, of three events each, the last of them open at its end."""
    who = np.repeat(np.arange(visitors), 3)
    minutes = (
        number * 1440 + np.linspace(0, 1390, visitors).repeat(3) + np.tile([0, 7, 20], visitors)
    )
    return clicks(who, minutes, first=1000 * number)


def files_of(lake: Lake, table: str = "sessions") -> set[str]:
    return set(lake.files(table).paths.tolist())


def test_one_more_day_reads_and_writes_that_day_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = click_lake(tmp_path / "lake", *(day(number) for number in range(3)))
    assert made(lake)["made"] == "anew"
    for number in (3, 4):
        add(lake, day(number))
        made(lake)
    add(lake, day(5))
    before, read = files_of(lake), set[str]()
    read_files = Lake.read_files

    def told(self: Lake, table: str, files: Any, *rest: Any, **more: Any) -> Any:
        read.update(f"{table}/{path}" for path in files.paths)
        return read_files(self, table, files, *rest, **more)

    monkeypatch.setattr(Lake, "read_files", told)
    facts = made(lake)
    assert (facts["made"], facts["events"], facts["late"]) == (GROWN, 120, 0)
    added = lake.added("clickstream", (lake.version("clickstream") or 0) - 1)
    assert added is not None
    assert {p for p in read if p.startswith("clickstream")} == {
        f"clickstream/{path}" for path in added.paths
    }
    # Of the sessions, only the file with those that were open is written again.
    assert 1 <= len(before - files_of(lake)) <= 2
    assert lake.history("sessions")[0]["operation"] == "update"


def test_who_does_not_come_back_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    lake = click_lake(tmp_path / "lake", clicks([1, 2], [0, 5]))
    made(lake)
    before = files_of(lake)
    add(lake, clicks([3], [500], first=10))
    facts = made(lake)
    assert (facts["events"], facts["sessions"]) == (1, 3)
    assert before < files_of(lake)
    assert tables(lake)["open_sessions"]["customer_key"].tolist() == [3]


def test_a_late_event_makes_only_the_sessions_around_it_again(tmp_path: Path) -> None:
    days = [day(number) for number in range(5)]
    lake = click_lake(tmp_path / "lake", *days, buckets=4)
    made(lake)
    untouched = {p for p in files_of(lake) if "bucket=3" not in p}
    # Between the second and the third event of visitor 7 on the third day, and long after.
    begun = (days[2]["occurred_at"][days[2]["customer_key"] == 7].min() - START) / timedelta(
        minutes=1
    )
    late = clicks([7, 7], [begun + 10, begun + 200], first=9000)
    add(lake, pd.concat([late, clicks([8], [5 * 1440], first=9100)]))
    facts = made(lake)
    assert (facts["events"], facts["late"], facts["rebuilt_customers"]) == (3, 2, 1)
    assert untouched <= files_of(lake)
    theirs = tables(lake)["sessions"].query("customer_key == 7").sort_values("started_at")
    assert theirs["events"].tolist() == [3, 3, 4, 1, 3, 3]
    everything = [*days, late, clicks([8], [5 * 1440], first=9100)]
    whole = click_lake(tmp_path / "whole", pd.concat(everything), buckets=4)
    made(whole)
    assert_same_sessions(lake, whole)


def test_an_event_of_any_age_that_was_loaded_is_in_a_session(tmp_path: Path) -> None:
    """What comes beyond the horizon is refused by ingest; with --backfill it counts."""
    lake = click_lake(tmp_path / "lake", clicks([1], [0]), clicks([2], [90 * 1440], first=5))
    made(lake)
    old = clicks([1, 3], [20, 30], first=8)
    add(lake, old)
    facts = made(lake)
    assert (facts["made"], facts["late"], facts["sessions"]) == (GROWN, 2, 3)
    assert tables(lake)["sessions"]["events"].sum() == 4


def test_a_late_event_may_join_two_sessions_and_the_open_one(tmp_path: Path) -> None:
    first = clicks([1, 1, 2], [0, 50, 70])
    lake = click_lake(tmp_path / "lake", first)
    assert made(lake)["sessions"] == 3
    add(lake, clicks([1], [25], first=10))
    facts = made(lake)
    assert (facts["sessions"], facts["late"]) == (2, 1)
    assert sorted(tables(lake)["open_sessions"]["customer_key"]) == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ("overwrite", "clickstream was rewritten"),
        ("forced", "asked for"),
        ("rotation", "clickstream was rewritten"),
        ("forgotten clicks", "files of it were given up"),
        ("forgotten state", "open sessions of then"),
    ],
)
def test_where_what_came_cannot_be_told_all_is_made_anew(
    tmp_path: Path, change: str, because: str
) -> None:
    days = [day(number) for number in range(3)]
    lake = click_lake(tmp_path / "lake", *days[:2])
    made(lake)
    if change == "overwrite":
        add(lake, pd.concat(days), overwrite=True)
    else:
        add(lake, days[2])
    if change == "forgotten clicks":
        compacted(lake, keep_days=0)
    if change == "forgotten state":
        add(lake, tables(lake)["open_sessions"], table="open_sessions", overwrite=True)
        with lake.writer() as writer:
            remove_old_files(writer, contract("open_sessions"), keep_days=0)
    if change == "rotation":
        rotate_key(lake.path, backend=CPU, key=f"{KEY},{'ab' * 32}")
        lake = Lake(lake.path, backend=CPU, key=f"{KEY},{'ab' * 32}")
    facts = made(lake, from_step="sessions" if change == "forced" else None)
    assert facts["made"] == "anew"
    assert because in facts["because"]
    assert tables(lake)["sessions"]["events"].sum() == sum(map(len, days))
    if change != "rotation":
        whole = click_lake(tmp_path / "whole", pd.concat(days))
        made(whole)
        assert_same_sessions(lake, whole)


def test_a_run_as_of_an_earlier_moment_is_no_state_to_go_on_from(tmp_path: Path) -> None:
    lake = click_lake(tmp_path / "lake", day(0), day(1))
    made(lake)
    add(lake, day(2))
    noon = datetime(2026, 4, 1, 12)  # noqa: DTZ001
    facts = made(lake, as_of=noon)
    assert facts["made"] == "anew"
    assert "after the moment of the run" in facts["because"]
    facts = made(lake)
    assert facts["made"] == "anew"
    whole = click_lake(tmp_path / "whole", day(0), day(1), day(2))
    made(whole)
    assert_same_sessions(lake, whole)


def test_events_of_other_tables_that_are_later_close_no_session(tmp_path: Path) -> None:
    lake = click_lake(tmp_path / "lake", clicks([1], [0]))
    later = datetime(2026, 5, 1)  # noqa: DTZ001
    made(lake, as_of=later)
    assert len(tables(lake)["open_sessions"]) == 1
    add(lake, clicks([1], [20], first=5))
    facts = made(lake, as_of=later)
    assert (facts["made"], facts["sessions"], facts["late"]) == (GROWN, 1, 0)


def test_a_run_as_of_a_moment_sees_what_was_open_at_the_last_click_before_it(
    tmp_path: Path,
) -> None:
    early, later = clicks([1, 2], [0, 50]), clicks([3], [900], first=5)
    moment = datetime(2026, 3, 31, 6)  # noqa: DTZ001
    lake, wanted = click_lake(tmp_path / "all", early, later), click_lake(tmp_path / "one", early)
    for one in (lake, wanted):
        made(one, as_of=moment)
    assert len(tables(lake)["open_sessions"]) == 1
    assert_same_sessions(lake, wanted)


def test_files_stay_few_however_many_days_come(tmp_path: Path) -> None:
    lake = click_lake(tmp_path / "lake", day(0, visitors=6), buckets=1)
    for number in range(1, 20):
        add(lake, day(number, visitors=6))
        made(lake)
    assert len(lake.files("sessions")) <= 2 * 8
    assert lake.rows("sessions") == 6 * 20


def test_a_session_that_the_table_lost_is_named_with_its_remedy(tmp_path: Path) -> None:
    lake = click_lake(tmp_path / "lake", clicks([1, 2], [0, 5]))
    made(lake)
    note = lake.note("sessions")
    kept = tables(lake)["sessions"].iloc[:0]
    add(lake, kept, table="sessions", overwrite=True, note=note)
    add(lake, clicks([1], [10], first=5))
    with pytest.raises(PipelineError, match=r"0 of 1 sessions .* --from sessions"):
        made(lake)


def test_a_run_that_is_killed_anywhere_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = clicks([3], [1440], first=7000)
    before = click_lake(tmp_path / "before", day(0, visitors=6), day(1, visitors=6))
    made(before)
    add(before, pd.concat([day(2, visitors=6), late]))
    whole = copied(before, tmp_path / "whole")
    calls = doomed.calls_until(0, doomed.sessions, whole.path, monkeypatch=monkeypatch)
    assert calls is not None
    add(whole, day(3, visitors=6))
    assert made(whole)["made"] == GROWN

    def committed(call: int) -> list[bool]:
        """Which tables a run that is killed at that call has committed; the next mends it all."""
        lake = copied(before, tmp_path / f"killed-{call}")
        done = doomed.calls_until(call, doomed.sessions, lake.path, monkeypatch=monkeypatch)
        assert done is None
        found = [lake.version(name) != before.version(name) for name in TABLES]
        add(lake, day(3, visitors=6))
        assert made(lake)["made"] == GROWN
        assert_same_sessions(lake, whole)
        assert not list((lake.path / "writing").iterdir())
        return found

    # The first call behind the commit of the open sessions, by halves.
    low, high, seen = calls // 2, calls - 1, dict[int, list[bool]]()
    while low < high:
        middle = (low + high) // 2
        seen[middle] = committed(middle)
        low, high = (low, middle) if seen[middle][1] else (middle + 1, high)
    assert seen[low] == [False, True]


def test_a_compaction_between_two_commits_is_no_harm(tmp_path: Path) -> None:
    """A killed run leaves open sessions of its own; those that count are an earlier version."""
    lake = click_lake(tmp_path / "lake", day(0))
    made(lake)
    opened = tables(lake)["open_sessions"]
    add(lake, opened.iloc[:0], table="open_sessions", overwrite=True)
    add(lake, day(1))
    assert made(lake)["made"] == GROWN
    whole = click_lake(tmp_path / "whole", day(0), day(1))
    made(whole)
    assert_same_sessions(lake, whole)
