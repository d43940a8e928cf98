"""Pictures of segments and of value: marks stand at the numbers, titles say what is seen."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline.charts import (
    SHOWN_FEATURES,
    migration_river,
    segment_choice,
    segment_heat_map,
    value_calibration,
    value_lift,
)

EVIL = "</script><b onclick=alert(1)>loyal</b>"
PROFILES = pd.DataFrame({"segment": [-1, 0, 4], "name": ["unlike the others", "champions", "lost"]})


def traits() -> pd.DataFrame:
    rows = [
        (-1, "orders", 0.5, "4 orders", "4 orders, as usual"),
        (-1, "revenue", -0.25, "EUR 10.00", "EUR 10.00 spent, half the usual"),
        (0, "orders", 1.75, "40 orders", "40 orders, 10x the usual"),
        (0, "revenue", 1.0, "EUR 900.00", "EUR 900.00 spent, 9x the usual"),
        (4, "orders", -1.0, "1 order", "1 order, a quarter of the usual"),
    ]
    return pd.DataFrame(rows, columns=["segment", "feature", "effect", "label", "text"])


def migration(*rows: tuple[int, int, int]) -> pd.DataFrame:
    names = {-2: "not there before", **dict(zip(*PROFILES.to_dict("list").values(), strict=True))}
    frame = pd.DataFrame(rows, columns=["from_segment", "to_segment", "customers"], dtype="int64")
    return frame.assign(
        from_name=frame["from_segment"].map(names),
        to_name=frame["to_segment"].map({**names, -2: "no longer there"}),
        share_of_from=0.5,
    )


def choice() -> pd.DataFrame:
    return pd.DataFrame(
        {"n_segments": [4, 3, 5], "silhouette": [0.5, 0.4, 0.3], "stability": [0.97, 0.9, 0.8]}
    )


def deciles() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "decile": [1, 2],
            "customers": [10, 10],
            "predicted": [500.0, 100.0],
            "actual": [375.0, 125.0],
            "share": [0.75, 0.25],
        }
    )


SOME = {
    "heat": lambda: segment_heat_map(traits(), PROFILES),
    "choice": lambda: segment_choice(choice(), chosen=4),
    "river": lambda: migration_river(migration((0, 0, 5), (0, 4, 2), (-2, 0, 3))),
    "lift": lambda: value_lift(deciles()),
    "calibration": lambda: value_calibration(deciles()),
}


def titles(figure: Any) -> str:
    return f"{figure.layout.title.text} | {figure.layout.title.subtitle.text}"


@pytest.mark.parametrize("made", SOME.values(), ids=SOME)
def test_every_chart_says_what_is_seen_and_sets_thousands_apart(made: Any) -> None:
    layout = made().layout
    assert layout.title.text
    assert layout.title.subtitle.text
    assert layout.template.layout.separators == ".,"
    if made().data[0].type != "sankey":
        assert layout.xaxis.title.text
        assert layout.yaxis.title.text or made().data[0].type == "heatmap"


@pytest.mark.parametrize(
    ("figure", "why"),
    [
        (lambda: segment_heat_map(traits()[:0], PROFILES), "no segments yet"),
        (lambda: segment_choice(choice()[:0], chosen=4), "their number was given"),
        (lambda: migration_river(migration()), "nothing before to compare with"),
        (lambda: migration_river(migration((-2, 0, 9))), "nothing before to compare with"),
        (lambda: value_lift(deciles()[:0]), "no period to test on"),
        (lambda: value_calibration(deciles()[:0]), "no period to test on"),
    ],
)
def test_without_rows_a_figure_says_that_there_is_nothing(figure: Any, why: str) -> None:
    made = figure()
    assert not made.data
    assert why in made.layout.annotations[0].text


def test_cells_are_coloured_by_effect_and_labelled_with_the_value() -> None:
    figure = segment_heat_map(traits(), PROFILES)
    (heat,) = figure.data
    assert list(heat.x) == ["orders", "revenue"]
    assert list(heat.y) == list(PROFILES["name"])
    np.testing.assert_array_equal(heat.z, [[0.5, -0.25], [1.75, 1.0], [-1.0, np.nan]])
    assert heat.text[1].tolist() == ["40 orders", "EUR 900.00"]
    assert heat.text[2].tolist() == ["1 order", ""]
    assert (heat.zmin, heat.zmax) == (-1.75, 1.75)
    assert "“champions” stand out most: 40 orders, 10x the usual" in titles(figure)


def test_of_many_features_those_that_differ_most_are_shown_and_the_others_counted() -> None:
    many = pd.DataFrame({"segment": 0, "feature": [f"feature {i}" for i in range(12)]})
    many = many.assign(effect=np.linspace(0.1, 1, 12), label="some", text="some text")
    figure = segment_heat_map(many, PROFILES)
    assert len(figure.data[0].x) == SHOWN_FEATURES
    assert figure.data[0].x[0] == "feature 11"
    assert "(4 features that differ less are not shown)" in titles(figure)


def test_both_measures_are_drawn_by_number_and_the_chosen_one_is_marked() -> None:
    figure = segment_choice(choice(), chosen=4)
    silhouette, stability = figure.data
    assert list(silhouette.x) == [3, 4, 5]
    assert list(silhouette.y) == [0.4, 0.5, 0.3]
    assert list(stability.y) == [0.9, 0.97, 0.8]
    assert list(silhouette.marker.size) == [7, 14, 7]
    assert figure.layout.shapes[0].x0 == 4
    assert figure.layout.title.text == "4 segments: silhouette 0.50; stability 0.97"
    assert segment_choice(choice(), chosen=9).layout.title.text == "9 segments"


def test_the_river_flows_as_customers_went_and_grey_are_those_who_stayed() -> None:
    rows = [(-2, 0, 3), (0, -2, 1), (0, 0, 5), (0, 4, 2), (4, 0, 1), (4, 4, 2)]
    figure = migration_river(migration(*rows))
    (river,) = figure.data
    flows = {
        (river.node.label[a], river.node.label[b]): value
        for a, b, value in zip(river.link.source, river.link.target, river.link.value, strict=True)
    }
    assert flows == {
        ("not there before", "champions"): 3,
        ("champions", "no longer there"): 1,
        ("champions", "champions"): 5,
        ("champions", "lost"): 2,
        ("lost", "champions"): 1,
        ("lost", "lost"): 2,
    }
    colours = dict(zip(flows, river.link.color, strict=True))
    assert colours["champions", "champions"] == colours["lost", "lost"]
    assert colours["champions", "lost"] != colours["lost", "champions"]
    assert "30% of the customers are in another segment" in titles(figure)
    assert "The largest group (2) went from “champions” to “lost”" in titles(figure)


def test_where_all_stay_no_group_is_called_the_largest() -> None:
    shown = titles(migration_river(migration((0, 0, 5), (4, 4, 1))))
    assert shown.startswith("Nobody is in another segment")
    assert "largest" not in shown


def test_bars_are_means_of_each_tenth_with_its_share_above() -> None:
    figure = value_lift(deciles(), unit="GBP")
    predicted, actual, shares = figure.data
    assert list(predicted.y) == [50.0, 10.0]
    assert list(actual.y) == [37.5, 12.5]
    assert list(shares.text) == ["75%", "25%"]
    assert list(shares.y) == [50.0, 12.5]
    assert "The tenth expected to bring most brought 75% of all" in titles(figure)
    assert figure.layout.yaxis.title.text == "GBP a customer (mean)"


def test_where_nothing_came_no_share_is_shown() -> None:
    nothing = deciles().assign(actual=0.0, share=np.nan)
    assert list(value_lift(nothing).data[2].text) == ["", ""]
    assert "brought nothing" in titles(value_lift(nothing))
    assert "Nothing came" in titles(value_calibration(nothing))


def test_calibration_sets_what_came_against_what_was_expected() -> None:
    figure = value_calibration(deciles())
    line, observed = figure.data
    assert list(line.x) == list(line.y) == [0.0, 50.0]
    assert list(observed.x) == [50.0, 10.0]
    assert list(observed.y) == [37.5, 12.5]
    assert "20% more was expected than came | 20 customers in 2 groups" in titles(figure)
    exact = deciles().assign(actual=[500.0, 100.0])
    assert "What was expected came" in titles(value_calibration(exact))


@pytest.mark.parametrize(
    "figure",
    [
        lambda: segment_heat_map(traits(), PROFILES.assign(name=[EVIL, EVIL, EVIL])),
        lambda: migration_river(migration((0, 4, 2)).assign(from_name=EVIL)),
    ],
)
def test_markup_in_the_data_is_shown_and_not_obeyed(figure: Any) -> None:
    made = figure()
    shown = titles(made) + str(made.data)
    assert "<b onclick" not in re.sub(r"<br>", " ", shown)
    assert "&lt;b" in shown
    assert "</script" not in made.to_json()


def test_charts_leave_their_frames_as_they_were() -> None:
    frames = [traits(), PROFILES.copy(), choice(), migration((0, 4, 2)), deciles()]
    before = [frame.copy() for frame in frames]
    segment_heat_map(frames[0], frames[1])
    segment_choice(frames[2], chosen=4)
    migration_river(frames[3])
    value_lift(frames[4])
    value_calibration(frames[4])
    for left, right in zip(before, frames, strict=True):
        pd.testing.assert_frame_equal(left, right)
