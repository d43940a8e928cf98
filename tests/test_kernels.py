"""Each kernel against a slow twin that goes row by row."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from frames import assert_frames_equal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_pipeline.kernels import (
    first_beyond,
    is_in_order,
    mixed_hash,
    order_of,
    ordinals_in_runs,
    radix_order,
    reversed_pairs,
    rows_of_runs,
    run_starts,
    segment_sums,
    stable_order,
    text_hash,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
FEW = st.integers(-2, 2)


def array(values: list[Any]) -> Any:
    return np.array(values, dtype=np.int64)


def rows(width: int, values: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[int, ...]]]:
    return st.lists(st.tuples(*[values] * width), max_size=30)


def columns_of(table: list[tuple[int, ...]], width: int) -> list[Any]:
    return [array([row[i] for row in table]) for i in range(width)]


@settings(deadline=None)
@given(st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(n), rows(n, FEW))))
@example((1, []))
@example((2, [(0, 0)]))
@example((2, [(1, 0), (1, 1), (0, 1)]))
def test_a_run_starts_where_any_column_changes(sized: tuple[int, list[tuple[int, ...]]]) -> None:
    width, table = sized
    slow = [i for i, row in enumerate(table) if i == 0 or row != table[i - 1]]
    assert_frames_equal(run_starts(columns_of(table, width), np), array(slow))


def test_runs_are_of_text_and_truth_as_of_numbers() -> None:
    words, truths = np.array(["a", "a", "b", "b"]), np.array([True, True, True, False])
    assert run_starts([words, truths], np).tolist() == [0, 2, 3]


@settings(deadline=None)
@given(st.lists(FEW, max_size=30))
@example([])
def test_the_sum_of_each_run_and_the_place_in_it(values: list[int]) -> None:
    numbers = array(values)
    starts = run_starts([numbers], np)
    edges = [*starts.tolist(), len(values)]
    sums = [sum(values[a:b]) for a, b in pairwise(edges)]
    places = [i for a, b in pairwise(edges) for i in range(b - a)]
    assert_frames_equal(segment_sums(numbers, starts, np), array(sums))
    assert_frames_equal(ordinals_in_runs(starts, len(values), np), array(places))


def test_sums_of_whole_numbers_are_exact_where_floats_are_not() -> None:
    numbers = array([2**53, 1, 1, -(2**53), 5])
    assert segment_sums(numbers, array([0, 4]), np).tolist() == [2, 5]


def slow_hash(row: tuple[int, ...]) -> int:
    """The rule of `mixed_hash` on Python's integers, wrapped to 64 bits by hand."""

    def wrapped(value: int) -> int:
        return (value + 2**63) % 2**64 - 2**63

    mixed = 0
    for value in row:
        mixed = wrapped((mixed ^ value) * 0x9E3779B97F4A7C15)
        mixed = wrapped((mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9)
        mixed ^= mixed >> 32
    return mixed & (2**63 - 1)


@settings(deadline=None)
@given(rows(3, INT64))
@example([(-(2**63), 2**63 - 1, 0)])
def test_a_hash_is_that_of_the_rows_numbers_in_order(table: list[tuple[int, ...]]) -> None:
    made = mixed_hash(columns_of(table, 3), np)
    assert_frames_equal(made, array([slow_hash(row) for row in table]))


def test_hashes_of_small_numbers_spread_over_all_bits_and_meet_nowhere() -> None:
    first, second = (axis.ravel() for axis in np.meshgrid(np.arange(400), np.arange(400)))
    made = mixed_hash([first, second], np)
    assert len(np.unique(made)) == 160_000
    shares = [((made >> bit) & 1).mean() for bit in range(63)]
    assert min(shares) > 0.49
    assert max(shares) < 0.51


def slow_pairs(lines: list[tuple[int, int, int]], within: int) -> list[bool]:
    marked = [False] * len(lines)
    for i, ((group, time, quantity), (next_group, next_time, next_quantity)) in enumerate(
        pairwise(lines)
    ):
        taken_back = quantity > 0 and next_quantity == -quantity
        if group == next_group and taken_back and next_time - time <= within:
            marked[i] = marked[i + 1] = True
    return marked


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6), FEW), max_size=30).map(sorted),
    st.integers(0, 4),
)
@example([], 1)
@example([(0, 0, 2), (0, 4, -2)], 4)
def test_a_line_and_its_full_reversal_are_marked(
    lines: list[tuple[int, int, int]], within: int
) -> None:
    group, time, quantity = columns_of(lines, 3)
    made = reversed_pairs(group, time, quantity, within=within, xp=np)
    assert made.tolist() == slow_pairs(lines, within)


@pytest.mark.parametrize(
    ("lines", "marked"),
    [
        ([(0, 0, 5), (0, 1, -5)], [True, True]),
        ([(0, 0, 5), (0, 3, -5)], [False, False]),  # too late
        ([(0, 0, 5), (1, 1, -5)], [False, False]),  # somebody else's
        ([(0, 0, 5), (0, 1, -4)], [False, False]),  # only a part
        ([(0, 0, -5), (0, 1, 5)], [False, False]),  # a return, then a sale
        ([(0, 0, 5), (0, 1, 1), (0, 2, -5)], [False, False, False]),  # something between
        ([(0, 0, 5), (0, 1, -5), (0, 2, -5)], [True, True, False]),  # one reversal each
        ([(0, 0, 0), (0, 1, 0)], [False, False]),  # nothing is nothing's reversal
    ],
)
def test_what_is_a_reversal(lines: list[tuple[int, int, int]], marked: list[bool]) -> None:
    group, time, quantity = columns_of(lines, 3)
    assert reversed_pairs(group, time, quantity, within=2, xp=np).tolist() == marked


@settings(deadline=None)
@given(st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(n), rows(n, FEW))))
def test_rows_are_put_in_order_and_those_that_tie_stay(case: tuple[int, list[Any]]) -> None:
    width, table = case
    if not table:
        return
    order = order_of(columns_of(table, width), np).tolist()
    assert order == sorted(range(len(table)), key=lambda row: (table[row], row))


def slow_text_hash(text: str) -> int:
    """Word by word of eight bytes, the first byte lowest, shorter ones at the high end."""
    data = text.encode()
    words = [len(data)]
    for first in range(0, len(data), 8):
        word = data[first : first + 8]
        words.append(int.from_bytes(word.rjust(8, b"\0"), "little", signed=True))
    return int(mixed_hash([array([word]) for word in words], np)[0])


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=30))
@example(["", "a", "b\0", "b", "12345678", "123456789", "x" * 64])
@example(["é", "e", "漢字"])
def test_the_hash_of_a_text_is_of_all_its_bytes_and_its_length(texts: list[str]) -> None:
    data = np.frombuffer("".join(texts).encode(), dtype=np.uint8)
    lengths = array([len(text.encode()) for text in texts])
    made = text_hash(data, lengths, np).tolist()
    assert made == [slow_text_hash(text) for text in texts]
    assert len(set(made)) == len(set(texts))
    assert all(one >= 0 for one in made)


def test_hashes_are_the_same_however_many_texts_there_are() -> None:
    """More texts than are worked on at once."""
    texts = [f"event-{number % 1000}-{'x' * (number % 19)}" for number in range(70_000)]
    data = np.frombuffer("".join(texts).encode(), dtype=np.uint8)
    made = text_hash(data, array([len(text) for text in texts]), np)
    assert made[[0, 65_535, 65_536, 69_999]].tolist() == [
        slow_text_hash(texts[place]) for place in (0, 65_535, 65_536, 69_999)
    ]
    assert len(set(made.tolist())) == len(set(texts))


@settings(deadline=None)
@given(rows(2, FEW), st.booleans())
def test_rows_are_in_order_when_sorting_them_changes_nothing(
    table: list[tuple[int, ...]], is_sorted: bool
) -> None:
    table = sorted(table) if is_sorted else table
    assert is_in_order(columns_of(table, 2), np) == (table == sorted(table))


def test_disorder_far_from_the_first_rows_is_seen() -> None:
    numbers = np.arange(200_000)
    assert is_in_order([numbers], np)
    numbers[150_000] = 0
    assert not is_in_order([numbers], np)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2**33 - 1), max_size=30), st.sampled_from([3, 2**16, 2**33]))
def test_codes_of_any_width_are_ordered_stably(values: list[int], count: int) -> None:
    codes = array([value % count for value in values])
    wanted = sorted(range(len(values)), key=lambda row: codes[row])
    assert radix_order(codes, count, np).tolist() == wanted


@settings(deadline=None)
@given(
    st.lists(INT64, max_size=30) | st.lists(FEW, max_size=30),
    st.sampled_from(["int64", "int8", "uint8", "uint32", "uint64", "float64", "bool"]),
)
@example([-(2**63), 2**63 - 1, -(2**63)], "int64")
@example([2**63 - 2, 2**63 - 1, 2**63 - 2], "int64")
@example([-1, -2, -1], "uint64")
def test_values_of_any_type_and_width_are_ordered_stably(values: list[int], kind: str) -> None:
    numbers = array(values).astype(kind)
    wanted = sorted(range(len(values)), key=lambda row: numbers[row])
    assert stable_order(numbers, np).tolist() == wanted


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=6), st.integers(-1, 10))))
@example([([], 0)])
def test_the_first_value_over_each_runs_limit(runs: list[tuple[list[int], int]]) -> None:
    values = [value for run, _ in runs for value in sorted(run)]
    lengths = array([len(run) for run, _ in runs])
    starts = np.cumsum(lengths) - lengths
    limits = array([limit for _, limit in runs])
    slow = [
        start + sum(value <= limit for value in run)
        for start, (run, limit) in zip(starts.tolist(), runs, strict=True)
    ]
    if values:
        found = first_beyond(array(values), starts, starts + lengths, limits, np)
        assert found.tolist() == slow
    wanted = [int(start) + i for start, n in zip(starts, lengths, strict=True) for i in range(n)]
    assert rows_of_runs(starts, lengths, np).tolist() == wanted
