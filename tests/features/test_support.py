"""Cases and support days against plain SQL, and what was known when."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.features import SUPPORT_COLUMNS, support_cases, support_daily

CPU = Backend.choose("cpu")
ORACLES = Path(__file__).parent.parent / "oracle"
START = pd.Timestamp("2026-03-01T12:00")
HOUR = timedelta(hours=1)
MOODS = pd.DataFrame(
    {
        "text_id": pd.Series(["m0", "m1", "m3"], dtype="str"),
        "positive": [0.7, 0.1, 0.25],
        "negative": [0.1, 0.8, 0.25],
        "intent": pd.Series(["delivery", "refund", None], dtype="str"),
    }
)


def messages(*rows: dict[str, Any]) -> pd.DataFrame:
    """Messages in the contract's types; hours count from the start, ids from 0 on."""
    made = []
    for number, row in enumerate(rows):
        hours = {
            name: START + row[name] * HOUR
            for name in ("opened_at", "sent_at", "resolved_at")
            if row.get(name) is not None
        }
        defaults = {
            "message_id": f"m{number}",
            "case_id": "k",
            "customer_key": 1,
            "key_kind": "customer",
            "opened_at": START,
            "sent_at": START,
        }
        made.append(defaults | row | hours)
    frame = pd.DataFrame(made, columns=list(SUPPORT_COLUMNS))
    return CPU.cast(frame, contract("support"), SUPPORT_COLUMNS)


@st.composite
def drawn_messages(draw: st.DrawFn) -> pd.DataFrame:
    """Messages of a few cases whose times and authors get into each other's way."""
    row = st.fixed_dictionaries(
        {
            "case_id": st.sampled_from(["k", "l"]),
            "customer_key": st.sampled_from([-(2**63), 1, 2**63 - 1]),
            "opened_at": st.sampled_from([0, 1, 30]),
            "sent_at": st.sampled_from([0, 1, 2, 30]),
            "resolved_at": st.sampled_from([None, 1, 3, 40]),
            "product_id": st.sampled_from(["lamp", None]),
            "channel": st.sampled_from(["chat", "email", None]),
            "topic": st.sampled_from(["billing", None]),
        }
    )
    return messages(*draw(st.lists(row, max_size=12)))


def by_sql(name: str, as_of: datetime | None = None, **tables: pd.DataFrame) -> pd.DataFrame:
    with duckdb.connect() as connection:
        for table, frame in tables.items():
            connection.register(table, frame)
        given = {} if as_of is None else {"as_of": as_of}
        found = connection.execute((ORACLES / f"{name}.sql").read_text(), given).df()
    return CPU.cast(found, contract(name))


MOMENTS = st.sampled_from([(START + hours * HOUR).to_pydatetime() for hours in (-1, 0, 2, 50)])


@settings(deadline=None, max_examples=60)
@given(drawn_messages(), MOMENTS, st.randoms(use_true_random=False))
def test_cases_and_days_are_those_of_plain_sql_in_any_order(
    frame: pd.DataFrame, as_of: datetime, random: Any
) -> None:
    places = list(range(len(frame)))
    random.shuffle(places)
    found = support_cases(frame.iloc[places], MOODS, as_of, CPU)
    wanted = by_sql("support_cases", as_of, messages=frame, moods=MOODS)
    assert_frames_equal(found, wanted)
    assert_frames_equal(
        support_daily(found.iloc[::-1], CPU), by_sql("support_daily", cases=wanted), rtol=1e-6
    )


@settings(deadline=None, max_examples=40)
@given(drawn_messages(), drawn_messages(), MOMENTS)
def test_what_happens_later_changes_nothing(
    frame: pd.DataFrame, later: pd.DataFrame, as_of: datetime
) -> None:
    frame = frame[frame["sent_at"] <= as_of]
    later = later.assign(
        message_id="later" + later["message_id"],
        sent_at=later["sent_at"] - START + as_of + timedelta(hours=1),
        resolved_at=later["resolved_at"] - START + as_of + timedelta(hours=2),
    )
    both = pd.concat([later, frame], ignore_index=True)
    found = support_cases(both, MOODS, as_of, CPU)
    assert_frames_equal(found, support_cases(frame, MOODS, as_of, CPU))


def test_a_case_is_what_its_first_message_says_and_is_closed_when_any_says_so() -> None:
    frame = messages(
        {"sent_at": 5, "resolved_at": 7, "topic": "billing", "message_id": "m1"},
        {"sent_at": 1, "product_id": "lamp", "topic": "defect", "message_id": "m0"},
    )
    (found,) = support_cases(frame, MOODS, START + 8 * HOUR, CPU).to_dict("records")
    assert (found["topic"], found["product_id"], found["messages"]) == ("defect", "lamp", 2)
    assert found["mood"] == pytest.approx(0.6)
    assert found["intent"] == "delivery"
    assert (found["hours_to_resolve"], found["is_open"]) == (7.0, False)
    (found,) = support_cases(frame, MOODS, START + 6 * HOUR, CPU).to_dict("records")
    assert found["is_open"]
    assert np.isnan(found["hours_to_resolve"])


def test_days_count_what_came_and_went_by_the_clocks_of_the_zone() -> None:
    frame = messages(
        {"case_id": "a", "resolved_at": 13, "channel": "chat", "topic": "defect"},
        {"case_id": "b", "channel": "chat", "topic": "defect"},
        {"case_id": "c", "opened_at": -3, "resolved_at": 1},
    )
    cases = support_cases(frame, MOODS, START + 99 * HOUR, CPU)
    found = support_daily(cases, CPU, time_zone="Asia/Tokyo")
    rows = found[["day", "channel", "topic", "opened", "resolved", "open_cases"]]
    day = pd.Timestamp("2026-03-01")
    assert rows.to_numpy().tolist() == [
        [day, "chat", "defect", 2, 0, 2],
        [day, "unknown", "unknown", 1, 1, 0],
        [day + timedelta(days=1), "chat", "defect", 0, 1, 1],
    ]


def test_without_messages_there_is_an_empty_table() -> None:
    none = support_cases(messages(), MOODS, START.to_pydatetime(), CPU)
    assert len(none) == len(support_daily(none, CPU)) == 0
    assert list(support_daily(none, CPU).columns) == list(contract("support_daily").names)
