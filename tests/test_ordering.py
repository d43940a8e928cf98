"""Rows by customer and time against Python's sort, in pieces of any size, for keys of any kind."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.ordering import KeyRanges, Rows, in_order, in_pieces

CPU = Backend.choose("cpu")
LOWEST, HIGHEST = -(2**63), 2**63 - 1
CUSTOMERS = st.sampled_from([LOWEST, -5, 0, 1, 2, 3, 2**40, HIGHEST]) | st.integers(LOWEST, HIGHEST)
TIMES = st.integers(0, 5) | st.integers(LOWEST, HIGHEST)
EVENTS = st.lists(st.tuples(CUSTOMERS, TIMES), max_size=40)


class Small(Backend):
    """A device that takes few rows at once."""

    @property
    def rows_at_once(self) -> int:
        return 3


def columns_of(events: list[tuple[int, int]]) -> tuple[Any, Any]:
    return tuple(np.array([row[place] for row in events], dtype=np.int64) for place in (0, 1))


def by_hand(events: list[tuple[int, int]]) -> list[int]:
    return sorted(range(len(events)), key=lambda row: events[row])


@settings(deadline=None)
@given(EVENTS)
@example([(LOWEST, 2), (HIGHEST, 1), (LOWEST, 1), (LOWEST + 1, 1), (HIGHEST, 1)])
def test_rows_are_put_in_order_of_customer_and_time_stably(events: list[tuple[int, int]]) -> None:
    assert in_order(*columns_of(events), CPU).tolist() == by_hand(events)


def test_customers_that_crowd_where_only_their_low_bits_differ_are_told_apart() -> None:
    rng = np.random.default_rng(3)
    customer = np.append(rng.integers(0, 300, 5_000), [LOWEST, HIGHEST])
    time = rng.integers(0, 50, len(customer))
    wanted = np.lexsort([time, customer])
    assert in_order(customer, time, CPU).tolist() == wanted.tolist()


@settings(deadline=None)
@given(EVENTS, st.booleans())
@example([(0, 0)] * 20, False)
@example([(LOWEST, 0)] * 9 + [(HIGHEST, 0)] + [(LOWEST, 1)] * 9, False)
def test_pieces_hold_whole_customers_in_order_and_every_row_once(
    events: list[tuple[int, int]], is_sorted: bool
) -> None:
    events = sorted(events) if is_sorted else events
    customer, time = columns_of(events)
    also = np.arange(len(events)) * 7
    found = []
    for parts in in_pieces((customer, time, also), Small("cpu", "cpu: small")):
        rows = Rows.joined(parts, np).in_order(CPU)
        assert (rows.columns[0] == customer[rows.places]).all()
        assert (rows.columns[1] == time[rows.places]).all()
        assert (rows.columns[2] == also[rows.places]).all()
        found.append(rows)
    assert [int(row) for rows in found for row in rows.places] == by_hand(events)
    ends = [(int(rows.columns[0][0]), int(rows.columns[0][-1])) for rows in found if len(events)]
    assert all(last < first for (_, last), (first, _) in pairwise(ends))


@pytest.mark.parametrize("count", [2, 7, 256])
def test_ranges_of_random_keys_hold_about_as_many_rows_each(count: int) -> None:
    keys = np.random.default_rng(1).integers(LOWEST, HIGHEST, 200_000)
    ranges = KeyRanges.of(keys[:50_000], count, np)
    held = np.bincount(ranges.numbers(keys, np), minlength=count)
    assert ranges.count == count
    assert held.min() > 0.7 * len(keys) / count
    assert held.max() < 1.3 * len(keys) / count
