"""Newton's method between limits, on functions whose minima are known."""

import numpy as np
import pytest

from gpu_pipeline.customer_value.fitting import Curve, Floats, Limits, minimise
from gpu_pipeline.errors import FitError

WIDE = Limits(np.full(2, -10.0), np.full(2, 10.0))


def rosenbrock(point: Floats) -> Curve:
    x, y = point
    gradient = np.array([-400 * x * (y - x**2) - 2 * (1 - x), 200 * (y - x**2)])
    hessian = np.array([[1200 * x**2 - 400 * y + 2, -400 * x], [-400 * x, 200.0]])
    value = 100 * (y - x**2) ** 2 + (1 - x) ** 2
    return Curve(float(value), gradient, hessian, 1.0)


def test_a_bent_valley_is_followed_to_its_end() -> None:
    found = minimise(rosenbrock, [np.array([-1.2, 1.0])], WIDE, what="a valley")
    assert found.point == pytest.approx([1, 1], abs=1e-6)
    assert not found.is_at_limit.any()
    assert found.evaluations < 60


def test_a_parameter_rests_at_its_limit_and_the_others_go_on() -> None:
    limits = Limits(np.array([-10.0, -10.0]), np.array([0.5, 10.0]))
    found = minimise(rosenbrock, [np.array([-1.2, 1.0])], limits, what="a valley")
    assert found.point == pytest.approx([0.5, 0.25], abs=1e-7)
    assert found.is_at_limit.tolist() == [True, False]


def test_a_saddle_is_left_although_the_slope_hardly_shows_where() -> None:
    def saddle(point: Floats) -> Curve:
        x, y = point
        gradient = np.array([2 * x, 4 * y**3 - 2 * y])
        hessian = np.array([[2.0, 0.0], [0.0, 12 * y**2 - 2]])
        return Curve(float(x**2 + y**4 - y**2), gradient, hessian, 1.0)

    found = minimise(saddle, [np.array([1.0, 1e-4])], WIDE, what="a saddle")
    assert found.point == pytest.approx([0, np.sqrt(0.5)], abs=1e-6)


def test_what_falls_without_end_ends_at_the_limit() -> None:
    def falling(point: Floats) -> Curve:
        fall = np.exp(-point)
        return Curve(float(fall.sum()), -fall, np.diag(fall), 1.0)

    found = minimise(falling, [np.zeros(2)], Limits(-np.ones(2), np.full(2, 5.0)), what="a slope")
    assert found.point.tolist() == [5, 5]
    assert found.is_at_limit.all()


def test_a_later_start_is_tried_where_the_first_leads_nowhere() -> None:
    def broken(point: Floats) -> Curve:
        curve = rosenbrock(point)
        return curve if point[0] > 0 else Curve(0.0, np.ones(2), np.eye(2), 1.0)

    starts = [np.array([-5.0, 0.0]), np.array([0.5, 0.0])]
    assert minimise(broken, starts, WIDE, what="a cliff").point == pytest.approx([1, 1], abs=1e-6)
    with pytest.raises(FitError, match=r"The fit of a cliff did not converge from any of 1 starts"):
        minimise(broken, starts[:1], WIDE, what="a cliff")
