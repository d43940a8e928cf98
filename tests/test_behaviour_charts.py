"""Pictures of what visitors do: the numbers on the marks are those of the frame."""

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline.charts import abandonment_river, funnel_steps, retention_map

DAY = pd.Timestamp("2026-06-01")
EVIL = "<b onclick=alert(1)>cart</b>"


def steps(*reached: int, censored: int = 0, names: tuple[str, ...] = ()) -> pd.DataFrame:
    """One group's rows of a funnel."""
    count = len(reached)
    return pd.DataFrame(
        {
            "step": range(1, count + 1),
            "name": names or tuple(f"step {n}" for n in range(1, count + 1)),
            "entries": reached[0] if reached else 0,
            "reached": reached,
            "censored": [0, *[censored] * (count - 1)][:count],
        }
    )


def daily(*carts: tuple[int, int, int]) -> pd.DataFrame:
    """(day, carts, carts left behind) as rows of funnel_daily."""
    return pd.DataFrame(
        {
            "day": [DAY + pd.Timedelta(days=day) for day, _, _ in carts],
            "carted": [carted for _, carted, _ in carts],
            "abandoned_carts": [left for _, _, left in carts],
        }
    )


def test_bars_add_up_days_and_groups_and_name_where_most_are_lost() -> None:
    both = pd.concat([steps(100, 40, 30), steps(100, 10, 10)], ignore_index=True)
    figure = funnel_steps(both)
    (reached,) = figure.data
    assert list(reached.x) == [200, 50, 40]
    assert list(reached.text) == ["200 (100%)", "50 (25%)", "40 (20%)"]
    assert "20% of those who begin" in figure.layout.title.text
    assert "lost before “step 2”" in figure.layout.title.text


def test_journeys_that_may_still_go_on_stand_beside_the_others() -> None:
    _, censored = funnel_steps(steps(10, 4, censored=3)).data
    assert list(censored.x) == [0, 3]
    assert censored.name == "may still get there"
    assert funnel_steps(steps(10, 4)).layout.barmode == "stack"


def test_days_are_points_and_seven_days_the_line() -> None:
    points, line = abandonment_river(daily((0, 10, 5), (0, 10, 9), (2, 20, 2))).data
    assert list(points.x) == list(line.x)
    np.testing.assert_allclose(list(points.y), [0.7, np.nan, 0.1])
    np.testing.assert_allclose(list(line.y), [0.7, 0.7, 16 / 40])


def test_the_map_leaves_out_the_first_period_and_what_is_not_over() -> None:
    retention = pd.DataFrame(
        {
            "cohort": [DAY, DAY, DAY, DAY + pd.Timedelta(days=30), DAY + pd.Timedelta(days=30)],
            "periods_later": [0, 1, 2, 0, 1],
            "share": [1.0, 0.5, 0.25, 1.0, 0.3],
        }
    )
    figure = retention_map(retention)
    (heat,) = figure.data
    np.testing.assert_allclose(np.array(heat.z, "float64"), [[0.5, 0.25], [0.3, np.nan]])
    assert list(heat.x) == ["1", "2"]
    assert "40% of new customers" in figure.layout.title.text


@pytest.mark.parametrize(
    ("figure", "why"),
    [
        (lambda: funnel_steps(steps()), "nobody has begun yet"),
        (lambda: funnel_steps(steps(0, 0)), "nobody has begun yet"),
        (lambda: abandonment_river(daily((0, 0, 0))), "no cart was filled yet"),
        (
            lambda: retention_map(
                pd.DataFrame({"cohort": [DAY], "periods_later": [0], "share": [1.0]})
            ),
            "no period after a first order is over yet",
        ),
    ],
)
def test_without_anything_to_count_a_figure_says_so(figure: object, why: str) -> None:
    made = figure()  # type: ignore[operator]
    assert not made.data
    assert why in made.layout.annotations[0].text


def test_markup_in_the_name_of_a_step_is_shown_and_not_obeyed() -> None:
    figure = funnel_steps(steps(3, 1, names=("view", EVIL)))
    assert figure.data[0].y[1] == "&lt;b onclick=alert(1)&gt;cart&lt;/b&gt;"
    assert EVIL not in figure.layout.title.text


def test_frames_are_left_as_they_were() -> None:
    given = steps(5, 2)
    before = given.copy()
    funnel_steps(given)
    pd.testing.assert_frame_equal(given, before)
