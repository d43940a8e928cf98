"""Distinct rows against Counter."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.customer_value import distinct
from gpu_pipeline.customer_value.distinct import distinct_rows

whole = st.integers(0, 3).map(float)
# Too wide to be counted from the least, broken, and of either sign.
wide = st.sampled_from([-1e9, -0.5, 0.0, 0.25, 7e8, 3e15])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(whole, wide, whole, st.integers(1, 5)), max_size=40))
def test_rows_are_counted_summed_and_spread_again(rows: list[tuple[float, ...]]) -> None:
    columns = [np.array([row[place] for row in rows], dtype=float) for place in range(3)]
    weights = np.array([row[3] for row in rows], dtype=float)
    found = distinct_rows(columns, np)
    keys = list(zip(*(column.tolist() for column in found.columns), strict=True))
    counts = Counter(row[:3] for row in rows)
    assert keys == sorted(counts)
    assert found.counts(np).tolist() == [counts[key] for key in keys]
    sums = {key: sum(row[3] for row in rows if row[:3] == key) for key in keys}
    assert found.sums(weights, np).tolist() == [sums[key] for key in keys]
    for column, some in zip(columns, found.columns, strict=True):
        assert found.spread(some, np).tolist() == column.tolist()


def test_columns_too_wide_for_one_number_are_ranked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_WIDEST", 8)
    columns = [np.array([5.0, 1.0, 5.0, 9.0]), np.array([2.0, 3.0, 2.0, 0.0])]
    found = distinct_rows([*columns, columns[0]], np)
    assert [column.tolist() for column in found.columns] == [[1, 5, 9], [3, 2, 0], [1, 5, 9]]
    assert found.counts(np).tolist() == [1, 2, 1]
