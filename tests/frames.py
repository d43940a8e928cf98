"""One comparison of tables for all tests, whichever library made them."""

from typing import Any

import numpy as np
import pandas as pd


def assert_frames_equal(left: Any, right: Any, *, rtol: float = 1e-9) -> None:
    """Holds two frames, series or arrays to the same rows in the same order, of the same types.

    pandas or cuDF, NumPy or CuPy on either side. Names and row labels count. Whole numbers,
    text, times and what is missing must be equal; floats may differ by `rtol` of their size.
    """
    left, right = _on_host(left), _on_host(right)
    assert type(left) is type(right), f"{type(left).__name__} against {type(right).__name__}"
    if isinstance(left, pd.DataFrame):
        assert list(left.columns) == list(right.columns)
        for name in left.columns:
            _assert_series_equal(left[name], right[name], rtol)
        pd.testing.assert_index_equal(left.index, right.index, exact=False)
    elif isinstance(left, pd.Series):
        _assert_series_equal(left, right, rtol)
    elif left.dtype.kind == "f":
        np.testing.assert_allclose(left, right, rtol=rtol, atol=0, strict=True)
    else:
        np.testing.assert_array_equal(left, right, strict=True)


def _assert_series_equal(left: "pd.Series[Any]", right: "pd.Series[Any]", rtol: float) -> None:
    exact = not pd.api.types.is_float_dtype(left.dtype)
    pd.testing.assert_series_equal(
        left, right, check_exact=exact, check_index_type=False, rtol=0 if exact else rtol, atol=0
    )


def _on_host(value: Any) -> Any:
    """A cuDF frame as pandas, a CuPy array as NumPy; what is on the host already as it is."""
    if hasattr(value, "to_pandas"):
        return value.to_pandas()
    return value.get() if hasattr(value, "__cuda_array_interface__") else value
