"""Panel: what becomes of a long frame, and what is refused."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.panels import CPU, MONDAY, frame_of, panel_of
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting import Panel

CELLS = st.dictionaries(
    st.tuples(st.sampled_from(["b", "a", "ä", "C"]), st.integers(0, 20)),
    st.integers(0, 5),
    min_size=1,
)


def frame_of_cells(cells: dict[tuple[str, int], int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unique_id": pd.Series([name for name, _ in cells], dtype="str"),
            "ds": pd.Series([MONDAY + timedelta(days=day) for _, day in cells]),
            "y": pd.Series(list(cells.values()), dtype="int64"),
        }
    )


@given(CELLS, st.randoms())
@settings(deadline=None)
def test_every_row_lies_in_its_cell_and_the_order_of_rows_does_not_matter(cells, random) -> None:
    keys = list(cells)
    random.shuffle(keys)
    panel = Panel.from_frame(frame_of_cells({k: cells[k] for k in keys}), freq="D", backend=CPU)

    names = sorted({name for name, _ in cells})
    days = [day for _, day in cells]
    expected = [
        [cells.get((name, day), 0) for day in range(min(days), max(days) + 1)] for name in names
    ]
    assert panel.ids.tolist() == names
    assert panel.y.tolist() == expected
    assert panel.y.dtype == np.float32
    sold = [[i for i, units in enumerate(row) if units] for row in expected]
    assert panel.first.tolist() == [days[0] if days else 0 for days in sold]


def test_a_series_lives_from_its_first_sale_not_from_its_first_row() -> None:
    assert panel_of([[0, 0, 3, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).first.tolist() == [2, 0, 0]


def test_whole_numbers_as_ids_are_in_numeric_order() -> None:
    frame = frame_of([[1], [2], [3]]).assign(unique_id=[10, 9, 2])
    panel = Panel.from_frame(frame, freq="D", backend=CPU)
    assert panel.ids.tolist() == [2, 9, 10]
    assert panel.y[:, 0].tolist() == [3, 2, 1]


def test_a_panel_lasts_until_the_end_that_is_given() -> None:
    end = MONDAY + timedelta(days=4)
    panel = Panel.from_frame(frame_of([[1, 2]]), freq="D", backend=CPU, end=end)
    assert panel.y.tolist() == [[1, 2, 0, 0, 0]]
    next_day = np.datetime64(MONDAY + timedelta(days=5), "us").astype("int64")
    assert panel.future(2).tolist() == [next_day, next_day + 86_400_000_000]


def test_weeks_may_be_those_of_any_weekday_and_keep_it() -> None:
    weeks = frame_of([[1, 2, 3]], "W")
    fridays = weeks.assign(ds=weeks["ds"] + pd.Timedelta(days=4))
    panel = Panel.from_frame(fridays.drop(index=1), freq="W", backend=CPU)
    assert panel.y.tolist() == [[1, 0, 3]]
    assert pd.to_datetime(panel.future(1), unit="us").day_name().tolist() == ["Friday"]


@pytest.mark.parametrize(
    ("change", "freq", "message"),
    [
        (
            {"ds": pd.Timestamp("2026-01-05 12:00")},
            "D",
            "2 of 2 dates are not at midnight, such as Monday, 2026-01-05 12:00",
        ),
        ({"ds": [MONDAY, None]}, "D", "ds has 1 nulls"),
        ({"y": [1.0, float("inf")]}, "D", "y has 1 infinite values"),
        ({"y": ["1", "2"]}, "D", "y is str, not a number"),
        ({"ds": ["2026-01-05", "2026-01-06"]}, "D", "ds is str, not a time without zone"),
        ({"ds": pd.Timestamp("2026-01-05", tz="UTC")}, "D", "UTC.*not a time without zone"),
        (
            {"ds": pd.Timestamp("2026-01-05")},
            "D",
            r"1 of 2 rows repeat a \(unique_id, ds\), such as 's000' on 2026-01-05",
        ),
        (
            {},
            "W",
            "1 of 2 dates are not at midnight of one weekday, such as Tuesday, 2026-01-06 "
            r"\(the first is Monday, 2026-01-05\)",
        ),
    ],
)
def test_a_frame_that_is_no_panel_is_refused_with_what_was_found(change, freq, message) -> None:
    frame = frame_of([[1, 2]]).assign(**change)
    with pytest.raises(PanelError, match=message):
        Panel.from_frame(frame, freq=freq, backend=CPU)


def test_all_faults_of_a_kind_are_told_at_once() -> None:
    frame = frame_of([[1, 2]]).assign(y=[float("inf"), 1.0], unique_id=["a", None])
    with pytest.raises(PanelError, match="unique_id has 1 nulls; y has 1 infinite values"):
        Panel.from_frame(frame, freq="D", backend=CPU)


def test_missing_columns_and_rows_are_named() -> None:
    with pytest.raises(PanelError, match="columns ds, y are missing; it has unique_id, day"):
        Panel.from_frame(pd.DataFrame(columns=["unique_id", "day"]), freq="D", backend=CPU)
    with pytest.raises(PanelError, match="it has no rows"):
        Panel.from_frame(frame_of([[1]]).head(0), freq="D", backend=CPU)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (MONDAY, "1 of 2 dates are after the end, 2026-01-05"),
        (MONDAY + timedelta(days=3, hours=1), "the end 2026-01-08 is not at midnight"),
    ],
)
def test_an_end_before_the_last_row_or_off_the_grid_is_refused(end, message) -> None:
    with pytest.raises(PanelError, match=message):
        Panel.from_frame(frame_of([[1, 2]]), freq="D", backend=CPU, end=end)


def test_dates_that_are_far_from_the_others_are_refused_before_they_fill_memory() -> None:
    frame = frame_of(np.ones((2_000, 2)))
    frame.loc[5, "ds"] = pd.Timestamp("2206-01-05")
    with pytest.raises(PanelError, match="4000 rows of 2000 series span 2026-01-05 to 2206-01-05"):
        Panel.from_frame(frame, freq="D", backend=CPU)


def test_what_was_not_seen_is_not_taken_for_no_demand() -> None:
    panel = panel_of([[None, 2, None, 0, 4, None]])
    assert panel.y.tolist() == [[0, 2, 2, 0, 4, 2]]
    assert panel.observed.tolist() == [[False, True, False, True, True, False]]
    assert panel.first.tolist() == [1]


def test_a_period_without_stock_is_not_seen_and_holds_what_was_sold_at_least() -> None:
    frame = frame_of([[2, 0, 9, 0, 0]]).assign(stock=[5, 0, 0, None, 3])
    panel = Panel.from_frame(frame, freq="D", backend=CPU)
    assert panel.y.tolist() == [[2, 2, 9, 0, 0]]
    assert panel.observed.tolist() == [[True, False, False, True, True]]
    known = Panel.from_frame(frame.fillna(1), freq="D", backend=CPU, known_ahead=["stock"])
    assert known.observed.all()


def test_a_series_is_observed_from_its_first_sale_on() -> None:
    assert panel_of([[0, 0, 3, 0], [1, 0, 0, 0]]).observed.tolist() == [
        [False] * 2 + [True] * 2,
        [True] * 4,
    ]


def test_periods_that_are_hidden_are_as_if_they_had_not_been_seen() -> None:
    rows = np.array([[4.0, 1, 2, 3, 9], [0, 5, 0, 0, 1]])
    hidden = np.array([[False, False, False, False, True], [False, True, False, False, False]])
    frame = frame_of(rows).assign(price=range(10), shop="x")
    whole = Panel.from_frame(frame, freq="D", backend=CPU, known_ahead=["price"], static=["shop"])
    panel = whole.hiding(hidden)
    assert panel.y.tolist() == [[4, 1, 2, 3, 2.5], [0, 0, 0, 0, 1]]
    assert panel.first.tolist() == [0, 4]
    assert panel.observed.tolist() == [[True] * 4 + [False], [False] * 4 + [True]]
    assert panel.notes[-1] == "2 days of 2 series are left out as not seen"
    assert (panel.known, panel.static) == (whole.known, whole.static)
    assert whole.y.tolist() == rows.tolist()


def test_a_matrix_is_the_panel_of_its_rows() -> None:
    rows = np.array([[1, 2, 0, 4], [0, 6, np.nan, 8]])
    wanted = panel_of(rows)
    found = Panel.from_matrix(["s001", "s000"], rows[::-1], start=MONDAY, freq="D", backend=CPU)
    assert found.ids.tolist() == ["s000", "s001"]
    for name in ("y", "observed", "first", "start_us", "notes"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    is_seen = np.array([[True] * 4, [True, True, False, True]])
    given = Panel.from_matrix(
        *(["s000", "s001"], np.nan_to_num(rows)),
        **{"start": MONDAY, "freq": "D", "backend": CPU, "observed": is_seen},
    )
    assert np.array_equal(given.y, wanted.y)


@pytest.mark.parametrize(
    ("ids", "y", "message"),
    [
        (["a"], [[1.0], [2.0]], r"y is \(2, 1\) for 1 ids"),
        (["a", "a"], [[1.0], [2.0]], "1 ids are there twice"),
        (["a"], [[float("inf")]], "y has 1 infinite values"),
        (["a"], [[]], r"y is \(1, 0\) for 1 ids"),
    ],
)
def test_a_matrix_that_is_no_panel_is_refused(ids, y, message) -> None:
    with pytest.raises(PanelError, match=message):
        Panel.from_matrix(ids, np.array(y), start=MONDAY, freq="D", backend=CPU)


@given(CELLS)
@settings(deadline=None, max_examples=30)
def test_ids_as_categories_make_the_same_panel(cells) -> None:
    frame = frame_of_cells(cells)
    wanted = Panel.from_frame(frame, freq="D", backend=CPU)
    ids = pd.Categorical(frame["unique_id"], ["z", "ä", "C", "b", "a"])
    found = Panel.from_frame(frame.assign(unique_id=ids), freq="D", backend=CPU)
    assert found.ids.tolist() == wanted.ids.tolist()
    assert np.array_equal(found.y, wanted.y)


@pytest.mark.parametrize("rows_at_once", [1, 5])
def test_how_many_rows_are_read_at_once_changes_nothing(monkeypatch, rows_at_once: int) -> None:
    rows = np.array([[1, 2, 0, 4, np.nan, 3], [0, 6, np.nan, 8, 9, 9], [1, 0, 0, np.nan, 1, 1]])
    wanted = panel_of(rows)
    monkeypatch.setattr("gpu_pipeline.backend._ROWS_AT_ONCE", {"cpu": rows_at_once})
    found = panel_of(rows)
    assert np.array_equal(found.y, wanted.y)
    assert np.array_equal(found.observed, wanted.observed)
    assert found.notes == wanted.notes
    twice = pd.concat([frame_of([[1, 2]])] * 2).iloc[[1, 0, 3, 2]]
    with pytest.raises(PanelError, match=r"2 of 4 rows repeat .* such as 's000' on 2026-01-06"):
        Panel.from_frame(twice, freq="D", backend=CPU)


def test_gaps_new_ended_and_unseen_are_told() -> None:
    rows = np.ones((4, 70))
    rows[1, 5] = np.nan
    rows[2, :66] = 0
    rows[3, 10:] = 0
    frame = frame_of(rows)
    panel = Panel.from_frame(frame[frame["y"] != 0], freq="D", backend=CPU)
    assert panel.notes == (
        "4 series of 70 days",
        "1 series have days without a row (28.0% of their days): taken for no demand",
        "demand was not seen on 1 days of 1 series (no value, or no stock): not taken for none",
        "1 series are new: younger than 7 days",
        "1 series had no demand in the last 56 days",
    )
    assert "2 series have no demand at all" in panel_of(np.zeros((2, 9))).notes
    mondays = frame_of([[1, 2, 3, 4]], "W")
    weekly = Panel.from_frame(mondays, freq="D", backend=CPU)
    assert weekly.notes[-1] == "all rows are of one weekday: freq 'W' would make weeks of them"


def shop(series: int, *, weeks: int = 8) -> np.ndarray:
    """Every product is sold every day but Saturday; the fourth Tuesday is a holiday."""
    days = np.ones((series, 7 * weeks))
    days[:, 5::7] = 0
    days[:, 22] = 0
    return days


def test_days_on_which_a_busy_shop_sold_nothing_are_closed() -> None:
    assert panel_of(shop(30)).open_periods().tolist() == shop(30)[0].astype(bool).tolist()


def test_in_a_panel_of_few_series_a_day_without_sales_is_an_open_day() -> None:
    assert panel_of(shop(5)).open_periods().all()
    assert panel_of(shop(5)).open_steps(origin=56, steps=7).all()


def test_a_weekday_is_closed_after_four_closed_ones_in_a_row() -> None:
    panel = panel_of(shop(30))
    saturday_off = [True] * 5 + [False, True]
    assert panel.open_steps(origin=56, steps=9).tolist() == [*saturday_off, True, True]
    assert panel.open_steps(origin=54, steps=3).tolist() == [False, True, True]  # from a Saturday
    assert panel.open_steps(origin=27, steps=7).all()  # three Saturdays so far
    opened = shop(30)
    opened[0, 54] = 1  # one sale on the last Saturday
    assert panel_of(opened).open_steps(origin=56, steps=7).all()


def test_what_is_open_is_told_from_the_days_before() -> None:
    later = shop(30)
    later[:, 40:] = 0
    before, after = panel_of(shop(30)), panel_of(later)
    assert before.open_periods()[:40].tolist() == after.open_periods()[:40].tolist()
    assert (
        before.open_steps(origin=40, steps=7).tolist()
        == after.open_steps(origin=40, steps=7).tolist()
    )


@pytest.mark.parametrize("budget_bytes", [1, 80, 81, 10_000])
def test_blocks_hold_each_series_once_within_the_budget(budget_bytes: int) -> None:
    blocks = list(panel_of([[1]] * 7).blocks(bytes_per_series=40, budget_bytes=budget_bytes))
    assert [i for block in blocks for i in range(block.start, block.stop)] == list(range(7))
    assert all(40 * (b.stop - b.start) <= max(40, budget_bytes) for b in blocks)
