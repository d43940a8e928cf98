"""The charts: numbers on the marks are those of the frame, and nothing to show is no crash."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.charts import (
    HISTORY_WEEKS,
    SHOWN_REASONS,
    forecast_fan,
    mood_line,
    rejections_bar,
    segment_map,
    sentiment_river,
    series_fan,
)

MONDAY = datetime.fromisoformat("2026-06-01")
EVIL = "</script><b onclick=alert(1)>phone</b> & <i>more</i>"


def profiles(**changed: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "segment": [0, 1, 2],
            "name": ["champions", "slipping away", "new"],
            "customers": [1200, 3000, 40],
            "customer_share": [0.283, 0.708, 0.009],
            "revenue_share": [0.7, 0.29997, 0.00003],
            "days_since_last_order": [12.0, 180.0, 20.0],
            "orders": [8.5, 1.9, 1.0],
            **changed,
        }
    )


def forecast(model: str = "smoothing") -> pd.DataFrame:
    days = [MONDAY + timedelta(days=i) for i in range(3)]
    return pd.DataFrame(
        {
            "product_id": "P1",
            "day": pd.Series(days, dtype="datetime64[us]"),
            "mean": [500.0, 700.0, 34.5],
            "p10": [100.0, 200.0, 0.0],
            "p90": [900.0, 1100.0, 80.0],
            "model": model,
            "error": 5.25,
            "naive_error": 6.0 if model == "smoothing" else 5.25,
            "as_of": pd.Timestamp(MONDAY - timedelta(days=1)),
        }
    )


def history(units: dict[datetime, int]) -> pd.DataFrame:
    return pd.DataFrame(
        {"day": pd.Series(list(units), dtype="datetime64[us]"), "units": list(units.values())}
    )


def texts(*found: tuple[datetime, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "created_at": pd.Series([at for at, _ in found], dtype="datetime64[us]"),
            "label": pd.Series([label for _, label in found], dtype="str"),
        }
    )


def rejections(*found: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(found, columns=["source", "reason", "rows"])


def series(*, freq: str = "D", **columns: list[Any]) -> pd.DataFrame:
    periods = len(next(iter(columns.values())))
    return pd.DataFrame({"ds": pd.date_range(MONDAY, periods=periods, freq=freq), **columns})


SOME = {
    "segments": lambda: segment_map(profiles()),
    "forecast": lambda: forecast_fan(history({MONDAY: 3}), forecast(), name="Phone"),
    "series": lambda: series_fan(series(y=[3.0]), series(mean=[4.0]), name="Phone"),
    "sentiment": lambda: sentiment_river(texts((MONDAY, "positive"))),
    "rejections": lambda: rejections_bar(rejections(("orders", "quantity: missing", 12))),
}


def titles(figure: Any) -> str:
    return f"{figure.layout.title.text} | {figure.layout.title.subtitle.text}"


def trace(figure: Any, name: str) -> Any:
    (found,) = [one for one in figure.data if one.name == name and one.showlegend is not False]
    return found


@pytest.mark.parametrize("made", SOME.values(), ids=SOME)
def test_every_chart_has_a_title_named_axes_and_thousands_set_apart(made: Any) -> None:
    layout = made().layout
    assert layout.title.text
    assert layout.xaxis.title.text
    assert layout.yaxis.title.text or made().data[0].orientation == "h"
    assert layout.template.layout.separators == ".,"


@pytest.mark.parametrize(
    ("figure", "why"),
    [
        (lambda: segment_map(profiles()[:0]), "no segments yet"),
        (lambda: forecast_fan(history({}), forecast()[:0], name="Phone"), "no forecast"),
        (lambda: series_fan(series(y=[3.0]), series(mean=[]), name="Phone"), "no forecast"),
        (lambda: sentiment_river(texts()), "no texts yet"),
        (lambda: rejections_bar(rejections()), "every row was taken"),
    ],
)
def test_without_rows_a_figure_says_that_there_is_nothing(figure: Any, why: str) -> None:
    made = figure()
    assert not made.data
    assert why in made.layout.annotations[0].text


def test_bubbles_stand_at_the_numbers_of_their_segments() -> None:
    (bubbles,) = segment_map(profiles()).data
    assert list(bubbles.x) == [12.0, 180.0, 20.0]
    assert list(bubbles.y) == [8.5, 1.9, 1.0]
    assert list(bubbles.marker.size) == [1200, 3000, 40]
    assert bubbles.marker.sizemode == "area"


def test_bubbles_are_labelled_with_name_and_share_of_revenue() -> None:
    figure = segment_map(profiles())
    assert list(figure.data[0].text) == [
        "<b>champions</b><br>70% of revenue",
        "<b>slipping away</b><br>30% of revenue",
        "<b>new</b><br>under 0.1% of revenue",
    ]
    assert "“champions”: 28% of the customers bring 70% of the revenue" in titles(figure)


def test_labels_stand_above_their_bubbles_and_aside_where_there_is_no_room() -> None:
    close = profiles(days_since_last_order=[160.0, 165.0, 20.0], orders=[1.9, 1.2, 8.0])
    above, aside, alone = segment_map(close).data[0].textposition
    assert (above, alone) == ("top center", "top center")
    assert aside in ("middle left", "middle right", "bottom center")


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(1, 30)), min_size=1, max_size=8))
@settings(deadline=None, max_examples=40)
def test_segments_anywhere_lie_inside_the_plot(places: list[tuple[float, float]]) -> None:
    count = len(places)
    figure = segment_map(
        pd.DataFrame(
            {
                "name": "some",
                "customers": range(1, count + 1),
                "customer_share": 1 / count,
                "revenue_share": 1 / count,
                "days_since_last_order": [days for days, _ in places],
                "orders": [orders for _, orders in places],
            }
        )
    )
    left, right = figure.layout.xaxis.range
    bottom, top = figure.layout.yaxis.range
    assert all(left < days < right for days, _ in places)
    assert all(10**bottom < orders < 10**top for _, orders in places)
    ticks = [tick for tick in figure.layout.xaxis.tickvals if left <= tick <= right]
    assert len(figure.layout.xaxis.tickvals) <= 9
    assert ticks or right - left < 60


def test_the_fan_holds_mean_and_both_edges_of_the_band() -> None:
    figure = forecast_fan(history({}), forecast(), name="Phone")
    low, high = (one for one in figure.data if one.name == "p10 to p90")
    np.testing.assert_array_equal(low.y, forecast()["p10"])
    np.testing.assert_array_equal(high.y, forecast()["p90"])
    assert high.fill == "tonexty"
    expected = trace(figure, "expected")
    np.testing.assert_array_equal(expected.y, forecast()["mean"])
    np.testing.assert_array_equal(expected.x, forecast()["day"])
    assert "Phone: 1,234 units expected in 3 days" in titles(figure)


def test_a_fan_of_any_series_has_a_band_for_each_pair_of_quantiles() -> None:
    ahead = series(
        freq="7D",
        mean=[10.0, 20.0],
        **{"p2": [1.0, 2.0], "p10": [4.0, 5.0], "p50": [9.0, 9.0], "p90": [20.0, 21.0]},
        **{"p98": [30.0, 31.0], "p75": [15.0, 15.0]},
    )
    figure = series_fan(series(freq="7D", y=[5.0, 6.0]), ahead, name="<b>x", unit="kWh")
    assert "&lt;b&gt;x: 30 kWh expected in 2 weeks" in titles(figure)
    assert "96 and 80 of 100 weeks should fall within the band" in titles(figure)
    assert figure.layout.yaxis.title.text == "kWh a week"
    bands = [one.name for one in figure.data if one.type == "scatter" and one.fill]
    assert bands == ["p2 to p98", "p10 to p90"]
    np.testing.assert_array_equal(trace(figure, "expected").y, [10, 20])
    np.testing.assert_array_equal(trace(figure, "was").y, [5, 6])


def test_a_fan_tells_what_was_not_seen_apart_and_shows_the_last_periods() -> None:
    past = series(y=[float(i) for i in range(90)], observed=[i % 2 == 0 for i in range(90)])
    figure = series_fan(past, series(mean=[1.0]), name="x")
    np.testing.assert_array_equal(trace(figure, "was").y, range(34, 90, 2))
    np.testing.assert_array_equal(trace(figure, "not seen, usual").y, range(35, 90, 2))
    longer = series_fan(past, series(mean=[1.0] * 20), name="x")
    assert len(trace(longer, "was").y) == 40


def test_the_fan_shows_the_last_weeks_with_days_without_a_sale_as_zero() -> None:
    last = MONDAY - timedelta(days=1)
    old = last - timedelta(days=7 * HISTORY_WEEKS)
    sold = trace(
        forecast_fan(
            history({old: 99, last: 4, last - timedelta(days=2): 7}), forecast(), name="Phone"
        ),
        "sold",
    )
    assert len(sold.y) == 7 * HISTORY_WEEKS
    assert list(sold.y[-3:]) == [7, 0, 4]
    assert sum(sold.y) == 11
    assert pd.Timestamp(sold.x[-1]) == last


def test_a_day_that_had_not_ended_is_left_out_of_the_history() -> None:
    sold = trace(forecast_fan(history({MONDAY: 5}), forecast(), name="Phone"), "sold")
    assert sum(sold.y) == 0


def test_the_fan_compares_the_model_with_the_last_week_again() -> None:
    subtitle = titles(forecast_fan(history({}), forecast(), name="Phone"))
    assert "Mostly smoothing. In the last test the forecast was off by 5.2 units a day" in subtitle
    assert "the last week again by 6.0" in subtitle
    naive = titles(forecast_fan(history({}), forecast("seasonal_naive"), name="Phone"))
    assert "The last week again. In the last test that was off by 5.2 units a day." in naive


def test_a_week_of_texts_begins_on_monday_and_its_shares_add_up() -> None:
    sunday, next_monday = MONDAY + timedelta(days=6, hours=23), MONDAY + timedelta(days=7)
    figure = sentiment_river(
        texts(
            (MONDAY, "negative"),
            (sunday, "positive"),
            (sunday, "positive"),
            (sunday, "neutral"),
            (next_monday, "positive"),
        )
    )
    assert [pd.Timestamp(x) for x in trace(figure, "negative").x] == [MONDAY, next_monday]
    assert list(trace(figure, "negative").y) == [0.25, 0.0]
    assert list(trace(figure, "neutral").y) == [0.25, 0.0]
    assert list(trace(figure, "positive").y) == [0.5, 1.0]
    assert list(trace(figure, "positive").customdata) == [2, 1]
    assert "20% of what people write is negative, 60% positive | 5 texts" in titles(figure)


MOMENTS = st.datetimes(MONDAY - timedelta(days=500), MONDAY + timedelta(days=200))
LABELS = st.sampled_from(["negative", "neutral", "positive"])


@given(st.lists(st.tuples(MOMENTS, LABELS), min_size=1, max_size=30))
@settings(deadline=None, max_examples=40)
def test_every_text_is_counted_in_the_week_it_was_written_in(
    found: list[tuple[datetime, str]],
) -> None:
    figure = sentiment_river(texts(*found))
    counted = {
        (pd.Timestamp(week).to_pydatetime(), one.name): int(count)
        for one in figure.data
        for week, count in zip(one.x, one.customdata, strict=True)
        if count
    }
    expected: dict[tuple[datetime, str], int] = {}
    for at, label in found:
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        week = midnight - timedelta(days=at.weekday())
        expected[week, label] = expected.get((week, label), 0) + 1
    assert counted == expected
    np.testing.assert_allclose(sum(np.asarray(one.y) for one in figure.data), 1.0)


def test_a_bar_stands_for_each_source_and_reason_with_most_rows_first() -> None:
    figure = rejections_bar(
        rejections(
            ("orders", "quantity: missing", 5),
            ("reviews", "rating: above 5", 1200),
            ("clickstream", "event_type: missing " * 9, 5),
        )
    )
    (bars,) = figure.data
    assert list(bars.x) == [1200, 5, 5]
    assert list(figure.layout.yaxis.tickvals) == list(bars.y)
    assert list(figure.layout.yaxis.ticktext) == [
        "<b>reviews</b> rating: above 5",
        "<b>clickstream</b> event_type: missing event_type: missing<br>"
        "event_type: missing event_type: missing<br>event_type: missing event_type: missing …",
        "<b>orders</b> quantity: missing",
    ]
    assert figure.layout.yaxis.autorange == "reversed"


def test_rare_reasons_are_left_out_and_counted() -> None:
    many = [("orders", f"rule {i}: broken", 100 - i) for i in range(SHOWN_REASONS + 4)]
    figure = rejections_bar(rejections(*many))
    assert len(figure.data[0].x) == SHOWN_REASONS
    assert "4 rarer reasons are not shown" in titles(figure)


def test_two_long_reasons_keep_a_bar_each() -> None:
    long = "status: not one of " + ", ".join(f"state {i}" for i in range(60))
    figure = rejections_bar(rejections(("orders", long + " a", 2), ("orders", long + " b", 1)))
    assert len(set(figure.data[0].y)) == 2


@pytest.mark.parametrize(
    "figure",
    [
        lambda: segment_map(profiles(name=[EVIL, "b", "c"])),
        lambda: forecast_fan(history({}), forecast(), name=EVIL),
        lambda: rejections_bar(rejections(("orders", EVIL, 1))),
    ],
)
def test_markup_in_the_data_is_shown_and_not_obeyed(figure: Any) -> None:
    made = figure()
    shown = titles(made) + str(made.data) + str(made.layout.yaxis.ticktext)
    assert "<b onclick" not in shown
    assert "&lt;b onclick" in shown
    assert "</script" not in made.to_json()


def test_charts_leave_their_frames_as_they_were() -> None:
    before = [profiles(), forecast(), texts((MONDAY, "neutral")), rejections(("a", "b", 1))]
    after = [profiles(), forecast(), texts((MONDAY, "neutral")), rejections(("a", "b", 1))]
    segment_map(after[0])
    forecast_fan(history({MONDAY: 3}), after[1], name="Phone")
    sentiment_river(after[2])
    rejections_bar(after[3])
    for left, right in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(left, right)


def moods(count: int) -> pd.DataFrame:
    """Days of `product_sentiment_daily`, the last of them first."""
    days = [MONDAY + timedelta(days=day) for day in reversed(range(count))]
    level = np.linspace(1, 0, count) if count else np.array([])
    return pd.DataFrame(
        {
            "day": pd.Series(days, dtype="datetime64[us]"),
            "texts": [2] * count,
            "mood": level,
            "smoothed_mood": level / 2,
            "usual_positive_share": [0.6] * count,
            "usual_negative_share": [0.2] * count,
        }
    )


def test_a_mood_is_drawn_day_by_day_with_its_alerts() -> None:
    alerts = pd.DataFrame({"detected_at": [MONDAY + timedelta(days=2)], "kind": ["worse"]})
    figure = mood_line(moods(4), alerts, about=EVIL)
    assert "<b" not in figure.to_json().replace("\\u003c", "<")
    day, usual, smoothed = figure.data
    assert pd.Series(day.x).is_monotonic_increasing
    np.testing.assert_allclose(day.y, [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(smoothed.y, [0, 1 / 6, 1 / 3, 1 / 2])
    np.testing.assert_allclose(usual.y, 0.4)
    assert [line.x0 for line in figure.layout.shapes] == [alerts["detected_at"][0]]
    assert [note.text for note in figure.layout.annotations][-1] == "worse"
    assert "8 texts" in figure.layout.title.subtitle.text


def test_a_mood_without_texts_says_so() -> None:
    assert "no texts yet" in mood_line(moods(0), moods(0), about="Nova").to_json()
