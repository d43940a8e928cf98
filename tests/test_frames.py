"""`assert_frames_equal` lets nothing through but rounding."""

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal

LARGE = 2**60
NOON = pd.Series(["2026-01-01 12:00:00.000001"], dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pd.DataFrame({"a": [LARGE]}), pd.DataFrame({"a": [LARGE + 1]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
        (pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [2], "a": [1]})),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [2, 1]}, index=[1, 0])),
        (pd.Series([1.0]), pd.Series([1.0 + 1e-6])),
        (pd.Series([1e-300]), pd.Series([0.0])),
        (pd.Series([np.nan]), pd.Series([0.0])),
        (pd.Series(["a", None], dtype="str"), pd.Series(["a", ""], dtype="str")),
        (NOON, NOON + np.timedelta64(1, "us")),
        (NOON, NOON.astype("datetime64[ns]")),
        (NOON, NOON.to_frame()),
        (np.array([LARGE]), np.array([LARGE + 1])),
        (np.array([1.0]), np.array([1.0, 1.0])),
        (np.array([1.0], dtype=np.float32), np.array([1.0])),
    ],
)
def test_a_difference_is_found(left: object, right: object) -> None:
    with pytest.raises(AssertionError):
        assert_frames_equal(left, right)


def test_floats_may_differ_by_rounding() -> None:
    assert_frames_equal(pd.Series([0.1 + 0.2, np.nan]), pd.Series([0.3, np.nan]))
    assert_frames_equal(np.array([1.0]), np.array([1.01]), rtol=0.1)
