"""Columns known ahead and static ones: how they become matrices, what of a future is refused."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting.panels import CPU, MONDAY, frame_of
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting import Panel

EVENTS = [None, "Easter", None, "Christmas"]


def history(**columns: object) -> pd.DataFrame:
    """Two series of four days."""
    return frame_of([[1, 2, 3, 4], [5, 6, 7, 8]]).assign(**columns)


def panel_of(frame: pd.DataFrame, *known: str, static: tuple[str, ...] = ()) -> Panel:
    return Panel.from_frame(frame, freq="D", backend=CPU, known_ahead=known, static=static)


def later(frame: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """The same rows, four days on."""
    return frame.assign(ds=frame["ds"] + timedelta(days=4), **columns)


def same(found: np.ndarray, wanted: list[list[float | None]]) -> None:
    np.testing.assert_array_equal(found, np.array(wanted, dtype="float32"))
    assert found.dtype == np.float32


def test_a_column_that_says_the_same_for_all_series_is_kept_once() -> None:
    known = panel_of(history(event=EVENTS * 2, snap=[True, False] * 4), "event", "snap").known
    assert known.names == ("event", "snap")
    same(known.values[0], [[-1, 1, -1, 0]])
    same(known.values[1], [[1, 0, 1, 0]])
    assert known.categories == {"event": ("Christmas", "Easter")}
    assert known.periods == 4


def test_a_price_of_each_series_is_a_matrix_and_null_is_not_a_number() -> None:
    known = panel_of(history(price=[1, 1, None, 2, 9, 9, 8, 8]), "price").known
    same(known.values[0], [[1, 1, np.nan, 2], [9, 9, 8, 8]])


def test_text_that_differs_by_series_is_codes_of_one_list() -> None:
    known = panel_of(history(offer=["b", None, "b", "b", "a", "a", None, "c"]), "offer").known
    same(known.values[0], [[1, -1, 1, 1], [0, 0, -1, 2]])


@pytest.mark.parametrize("kind", ["str", "category", "object"])
def test_text_is_text_in_whatever_type_it_comes(kind: str) -> None:
    event = pd.Series(["b", None, "a", "b"] * 2, dtype=kind)
    known = panel_of(history(event=event), "event").known
    same(known.values[0], [[1, -1, 0, 1]])


def test_a_period_without_a_row_has_the_date_s_value_where_all_agree() -> None:
    frame = history(event=EVENTS * 2).drop(index=[1, 2])
    same(panel_of(frame, "event").known.values[0], [[-1, 1, -1, 0]])


def test_a_period_without_a_row_has_the_last_price_before_it_and_tells_no_sales() -> None:
    frame = history(price=[1, 2, 3, 4, 5, 6, 7, 8]).drop(index=[0, 2, 6, 7])
    end = MONDAY + timedelta(days=4)
    panel = Panel.from_frame(frame, freq="D", backend=CPU, end=end, known_ahead=["price"])
    same(panel.known.values[0], [[2, 2, 2, 4, 4], [5, 6, 6, 6, 6]])


def test_a_future_continues_the_columns_with_the_same_codes() -> None:
    frame = history(event=EVENTS * 2, price=range(8))
    panel = panel_of(frame, "event", "price")
    future = later(frame, event="Easter").drop(columns="y").sample(frac=1, random_state=0)
    for made in (
        panel.with_future(future, steps=4),
        panel.with_future(future).with_future(future, steps=4),
        Panel.from_frame(
            frame, freq="D", backend=CPU, known_ahead=["event", "price"], future=future
        ),
    ):
        same(made.known.values[0], [[-1, 1, -1, 0, 1, 1, 1, 1]])
        same(made.known.values[1], [[0, 1, 2, 3, 0, 1, 2, 3], [4, 5, 6, 7, 4, 5, 6, 7]])
        assert made.known.periods == 8


def test_what_was_shared_may_differ_by_series_in_the_future_and_the_other_way_round() -> None:
    frame = history(a=[1, 2, 3, 4] * 2, b=range(8))
    made = panel_of(frame, "a", "b").with_future(later(frame, a=range(8), b=0), steps=4)
    same(made.known.values[0], [[1, 2, 3, 4, 0, 1, 2, 3], [1, 2, 3, 4, 4, 5, 6, 7]])
    same(made.known.values[1], [[0, 1, 2, 3, 0, 0, 0, 0], [4, 5, 6, 7, 0, 0, 0, 0]])


def test_an_event_that_never_was_before_is_told_and_taken_for_none() -> None:
    frame = history(event=EVENTS * 2)
    made = panel_of(frame, "event").with_future(later(frame, event="Olympics"), steps=4)
    same(made.known.values[0], [[-1, 1, -1, 0, -1, -1, -1, -1]])
    assert made.notes[-1] == "event is 'Olympics' for the first time: taken for none"


def test_a_future_without_any_event_is_of_whatever_kind_the_event_was() -> None:
    frame = history(event=EVENTS * 2)
    made = panel_of(frame, "event").with_future(later(frame, event=np.nan), steps=4)
    same(made.known.values[0], [[-1, 1, -1, 0, -1, -1, -1, -1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.head(7), r"1 of 8 rows are missing, such as 's001' on 2026-01-12: every"),
        (lambda f: f.tail(4), r"4 of 8 rows are missing, such as 's000' on 2026-01-09"),
        (lambda f: f.assign(ds=f["ds"] + timedelta(days=1)), "2 rows are not of the 4 periods"),
        (lambda f: f.assign(ds=f["ds"] - timedelta(days=1)), "2 rows are not of the 4 periods"),
        (
            lambda f: pd.concat([f, f.tail(4).assign(unique_id="new")]),
            "1 series are not in the panel, such as 'new'",
        ),
        (lambda f: pd.concat([f, f.head(1)]), r"1 of 9 rows repeat a \(unique_id, ds\)"),
        (lambda f: f.drop(columns="price"), "columns price are missing; it has unique_id, ds"),
        (lambda f: f.drop(columns="ds"), "columns ds are missing"),
        (lambda f: f.assign(price="1"), "price is text in the future and numbers in the panel"),
        (lambda f: f.assign(price=float("inf")), "price has infinite values"),
    ],
)
def test_a_future_that_is_not_the_panel_s_is_refused_with_an_example(change, message) -> None:
    frame = history(price=range(8))
    with pytest.raises(PanelError, match=message):
        panel_of(frame, "price").with_future(change(later(frame).drop(columns="y")), steps=4)


def test_a_future_of_a_shifted_weekday_is_refused() -> None:
    weeks = frame_of([[1, 2]], "W").assign(price=1.0)
    panel = Panel.from_frame(weeks, freq="W", backend=CPU, known_ahead=["price"])
    shifted = weeks.assign(ds=weeks["ds"] + timedelta(days=15))
    with pytest.raises(PanelError, match="2 rows are not of the 2 periods 2026-01-19 to 2026-01-2"):
        panel.with_future(shifted, steps=2)


def test_a_time_is_no_column_known_ahead() -> None:
    with pytest.raises(PanelError, match=r"Column until is datetime64.*the days until it"):
        panel_of(history(until=pd.Timestamp("2026-01-01")), "until")


def test_a_static_column_is_a_code_a_series_whatever_rows_say_it() -> None:
    store = ["B", "B", None, None, None, "A", "A", "A"]
    size = [3, 3, 3, 3, 11, 11, 11, 11]
    made = panel_of(history(store=store, size=size, none=None), static=("store", "size", "none"))
    assert made.static["store"].codes.tolist() == [1, 0]
    assert made.static["store"].categories == ("A", "B")
    assert made.static["size"].codes.tolist() == [0, 1]
    assert made.static["size"].categories == (3, 11)
    assert made.static["none"].codes.tolist() == [-1, -1]


def test_several_values_of_a_static_column_are_refused_with_an_example() -> None:
    store = ["A", "A", "A", "A", "B", "B", "A", "B"]
    with pytest.raises(PanelError, match="1 series have several values of it, such as 's001'"):
        panel_of(history(store=store), static=("store",))


def test_some_series_keep_what_is_theirs() -> None:
    frame = history(event=EVENTS * 2, price=range(8), store=["x"] * 4 + ["y"] * 4)
    one = panel_of(frame, "event", "price", static=("store",)).rows(slice(1, 2))
    assert one.ids.tolist() == ["s001"]
    same(one.known.values[0], [[-1, 1, -1, 0]])
    same(one.known.values[1], [[4, 5, 6, 7]])
    assert one.static["store"].codes.tolist() == [1]
    assert one.y.tolist() == [[5, 6, 7, 8]]
    assert (one.first.tolist(), one.observed.all()) == ([0], True)
