"""Hierarchy: its levels and sums, and reconciled forecasts beside a dense twin of theirs."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import real_data
from scipy.optimize import nnls

from gpu_pipeline.forecasting.hierarchy import Hierarchy, Static

Matrix = npt.NDArray[np.float64]
SIX = [f"c{i}" for i in range(6)]


def static_of(frame: pd.DataFrame) -> Static:
    """Each column as codes in the order of its texts."""
    found = {}
    for name in frame:
        codes, categories = pd.factorize(frame[name], sort=True)
        found[name] = (codes.astype("int32"), [str(one) for one in categories])
    return found


def dense(static: Static, hierarchy: Hierarchy) -> Matrix:
    """The matrix (nodes, series) of zeros and ones, from the nodes' names."""
    rows = []
    for node in hierarchy.nodes["unique_id"]:
        wanted = dict(part.split("=") for part in node.split("/")) if node != "total" else {}
        row = np.ones(len(next(iter(static.values()))[0]))
        for name, category in wanted.items():
            codes, categories = static[name]
            row *= codes == categories.index(category)
        rows.append(row)
    return np.array(rows)


def random_case(seed: int, *, series: int = 12) -> tuple[Static, Hierarchy, Matrix]:
    """Series of three columns at random: the hierarchy and its dense matrix."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.integers(0, 3, series).astype(str) for name in "abc"}
    static = static_of(pd.DataFrame(columns))
    hierarchy = Hierarchy.of(static, list("abc"))
    return static, hierarchy, dense(static, hierarchy)


def test_levels_are_the_combinations_that_part_the_series_differently() -> None:
    """Those of the M5 competition, of which stores lie in states and departments in categories."""
    places = [("CA", "CA_1"), ("CA", "CA_2"), ("TX", "TX_1")]
    goods = [("FOODS", "FOODS_1"), ("FOODS", "FOODS_2"), ("HOBBIES", "HOBBIES_1")]
    names = ["state", "store", "cat", "dept"]
    frame = pd.DataFrame([(*a, *b) for a, b in product(places, goods)], columns=names)
    hierarchy = Hierarchy.of(static_of(frame), names)
    sizes = hierarchy.nodes.groupby("level", sort=False).size()
    assert sizes.to_dict() == {
        "total": 1,
        "state": 2,
        "store": 3,
        "cat": 2,
        "dept": 3,
        "state/cat": 4,
        "state/dept": 6,
        "store/cat": 6,
        "store/dept": 9,
    }
    assert hierarchy.levels[5] == ("state", "cat")
    assert hierarchy.nodes["unique_id"].tolist()[11:15] == [
        "state=CA/cat=FOODS",
        "state=CA/cat=HOBBIES",
        "state=TX/cat=FOODS",
        "state=TX/cat=HOBBIES",
    ]
    assert hierarchy.nodes["series"].tolist()[:6] == [9, 6, 3, 3, 3, 3]


def test_a_column_of_one_value_makes_no_level_and_unknown_is_a_group() -> None:
    static = {
        "shop": (np.zeros(3, dtype="int32"), ["only"]),
        "kind": (np.array([0, -1, -1]), ["phone"]),
    }
    hierarchy = Hierarchy.of(static, ["shop", "kind"])
    assert hierarchy.nodes["unique_id"].tolist() == ["total", "kind=unknown", "kind=phone"]
    assert hierarchy.sums(np.array([[1], [2], [4]])).ravel().tolist() == [7, 6, 1]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["a", "region"], "lacks region: .* which are a, b, c"),
        (["a", "a"], "names a twice"),
        ([], "of 0 columns: give 1 to 6"),
    ],
)
def test_columns_that_cannot_be_are_refused_by_name(columns, message) -> None:
    static, _, _ = random_case(1)
    with pytest.raises(ValueError, match=message):
        Hierarchy.of(static, columns)


def test_seven_columns_are_refused_and_six_make_up_to_64_levels(rng) -> None:
    columns = {name: (rng.integers(0, 2, 400), ["x", "y"]) for name in [*SIX, "c6"]}
    assert len(Hierarchy.of(columns, SIX).levels) == 64
    with pytest.raises(ValueError, match="7 columns: give 1 to 6"):
        Hierarchy.of(columns, [*SIX, "c6"])


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_sums_are_those_of_the_dense_matrix(seed: int) -> None:
    _, hierarchy, matrix = random_case(seed)
    values = np.random.default_rng(seed).normal(size=(2, 12, 3)).astype("float32")
    np.testing.assert_allclose(hierarchy.sums(values), matrix @ values.astype("float64"), atol=1e-9)
    np.testing.assert_allclose(hierarchy.sums(values[0]), matrix @ values[0], atol=1e-5)
    assert hierarchy.nodes["series"].tolist() == matrix.sum(axis=1).tolist()


def proper(matrix: Matrix, hierarchy: Hierarchy) -> npt.NDArray[np.bool_]:
    """Which nodes have a say: not those of a level of single series."""
    most = hierarchy.nodes.groupby("level")["series"].transform("max").to_numpy()
    return most > 1


@given(st.integers(0, 10**6), st.booleans())
@settings(deadline=None, max_examples=30)
def test_least_squares_far_from_zero_are_those_of_the_dense_projection(seed, is_weighted) -> None:
    """The twin is the reconciliation by a projection matrix, with a pseudo-inverse."""
    _, hierarchy, matrix = random_case(seed)
    rng = np.random.default_rng(seed)
    bottom = rng.uniform(50, 60, (12, 3))
    upper = matrix @ bottom + rng.normal(size=(len(matrix), 3))
    says = proper(matrix, hierarchy)
    weights = 1 / np.concatenate([matrix.sum(axis=1), np.ones(12)])
    if is_weighted:
        weights = rng.uniform(0.2, 5, len(matrix) + 12)
        weights[rng.integers(0, len(matrix))] = 0
    found = hierarchy.reconcile(bottom, upper, weights=weights if is_weighted else None)

    whole = np.vstack([matrix[says], np.eye(12)])
    root = np.sqrt(np.concatenate([weights[: len(matrix)][says], weights[len(matrix) :]]))[:, None]
    base = np.vstack([upper[says], bottom])
    expected = np.linalg.pinv(root * whole) @ (root * base)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_least_squares_near_zero_are_the_non_negative_ones(seed: int) -> None:
    _, hierarchy, matrix = random_case(seed)
    rng = np.random.default_rng(seed)
    bottom = rng.exponential(1, (12, 2)) * (rng.random((12, 2)) < 0.7)
    upper = np.maximum(matrix @ bottom * rng.uniform(0, 1.6, (len(matrix), 2)), 0)
    weights = rng.uniform(0.2, 5, len(matrix) + 12)
    found = hierarchy.reconcile(bottom, upper, weights=weights)
    assert (found >= 0).all()
    says = np.concatenate([proper(matrix, hierarchy), np.ones(12, dtype=bool)])
    root = np.sqrt(weights)[says, None]
    whole, base = np.vstack([matrix, np.eye(12)])[says], np.vstack([upper, bottom])[says]
    for step in range(2):
        expected, _ = nnls(root * whole, (root * base)[:, step])
        np.testing.assert_allclose(found[:, step], expected, atol=1e-6)


def test_forecasts_that_agree_are_left_as_they_are(rng) -> None:
    _, hierarchy, _ = random_case(3)
    bottom = rng.exponential(5, (2, 12, 4)).astype("float32")
    for method in ("bottom_up", "top_down", "wls"):
        found = hierarchy.reconcile(bottom, hierarchy.sums(bottom), method=method)
        np.testing.assert_allclose(found, bottom, rtol=1e-5)
        assert found.dtype == bottom.dtype


def test_top_down_keeps_the_total_and_the_shares() -> None:
    static = {"kind": (np.array([0, 1]), ["a", "b"])}
    hierarchy = Hierarchy.of(static, ["kind"])
    bottom = np.array([[1.0, 0.0], [3.0, 0.0]])
    upper = np.array([[8.0, 5.0], [0.0, 0.0], [0.0, 0.0]])
    found = hierarchy.reconcile(bottom, upper, method="top_down")
    assert found.tolist() == [[2.0, 2.5], [6.0, 2.5]]
    assert hierarchy.reconcile(bottom, upper, method="bottom_up").tolist() == bottom.tolist()


def test_what_is_trusted_more_moves_less() -> None:
    static = {"kind": (np.array([0, 1, 1]), ["a", "b"])}
    hierarchy = Hierarchy.of(static, ["kind"])
    bottom, upper = np.array([[10.0], [10.0], [10.0]]), np.array([[60.0], [20.0], [40.0]])
    sure_of_total = hierarchy.reconcile(
        bottom, upper, weights=np.array([1e6, 1e-6, 1e-6, 1.0, 1.0, 1.0])
    )
    np.testing.assert_allclose(sure_of_total, 20, rtol=1e-4)
    sure_of_first = hierarchy.reconcile(
        bottom, upper, weights=np.array([1e6, 1e-6, 1e-6, 1e6, 1.0, 1.0])
    )
    np.testing.assert_allclose(sure_of_first.ravel(), [10, 25, 25], rtol=1e-4)


def test_what_does_not_fit_is_refused(rng) -> None:
    _, hierarchy, matrix = random_case(5)
    bottom, upper = np.ones((12, 2)), np.ones((len(matrix), 2))
    with pytest.raises(ValueError, match="method is 'middle_out': it can be bottom_up"):
        hierarchy.reconcile(bottom, upper, method="middle_out")
    with pytest.raises(ValueError, match=r"upper has shape \(3, 2\): it must be"):
        hierarchy.reconcile(bottom, upper[:3])
    with pytest.raises(ValueError, match=r"bottom has shape \(11, 2\): it must be \(12, 2\)"):
        hierarchy.reconcile(bottom[:11], upper)
    with pytest.raises(ValueError, match="one for each of the"):
        hierarchy.reconcile(bottom, upper, weights=np.ones(3))
    weights = np.ones(len(matrix) + 12)
    weights[[0, -1, -2]] = [np.inf, 0, -1]
    with pytest.raises(ValueError, match=r"3 of .* weights are infinite"):
        hierarchy.reconcile(bottom, upper, weights=weights)


def test_a_hundred_thousand_series_are_coherent_and_not_negative(rng) -> None:
    count = 100_000
    widths = {"region": 8, "category": 12, "brand": 300}
    static = {
        name: (rng.integers(0, width, count).astype("int32"), list(range(width)))
        for name, width in widths.items()
    }
    hierarchy = Hierarchy.of(static, list(widths))
    bottom = (rng.exponential(1, (count, 2)) * (rng.random((count, 2)) < 0.4)).astype("float32")
    upper = hierarchy.sums(bottom) * rng.uniform(0.6, 1.4, (len(hierarchy.nodes), 1))
    found = hierarchy.reconcile(bottom, upper)
    assert (found >= 0).all()
    sums, total = hierarchy.sums(found), found.sum(axis=0, dtype="float64")
    for level in hierarchy.nodes.groupby("level", sort=False).indices.values():
        np.testing.assert_allclose(sums[level].sum(axis=0), total, rtol=1e-6)
    assert np.abs(sums - upper).mean() < np.abs(hierarchy.sums(bottom) - upper).mean()


def test_sums_of_walmart_sales_are_those_of_a_groupby() -> None:
    sales = pd.read_parquet(real_data("demand/m5_store_dept_daily.parquet"))
    sales = sales[sales["d"] <= 28]
    names = ["state_id", "store_id", "cat_id", "dept_id"]
    wide = sales.pivot_table(index=names, columns="d", values="units")
    places = wide.index.to_frame(index=False)
    hierarchy = Hierarchy.of(static_of(places), names)
    sums = hierarchy.sums(wide.to_numpy())
    assert len(sums) == 154
    for level, rows in hierarchy.nodes.groupby("level", sort=False).indices.items():
        keys = [] if level == "total" else level.split("/")
        expected = wide.groupby(keys).sum().to_numpy() if keys else wide.sum().to_numpy()[None]
        np.testing.assert_array_equal(sums[rows], expected)
