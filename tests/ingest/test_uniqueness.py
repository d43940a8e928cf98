"""Keys that occur twice, against a slow twin that counts them one by one."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.ingest.uniqueness import Keys, Known, Repeats, repeats

# Hashes that lie close together and far apart, at both ends of what there is.
ENDS = [0, 1, 2, 2**62, 2**62 + 1, 2**63 - 2, 2**63 - 1]
HASHES = st.sampled_from([*ENDS, *range(10**18, 10**18 + 9)])
NEW = st.lists(st.lists(HASHES, max_size=8), min_size=1, max_size=4)
KNOWN = st.lists(st.tuples(st.integers(0, 3), st.lists(HASHES, max_size=6)), max_size=4)
LAKE = 100


def new_keys(lists: list[list[int]], order: list[int]) -> list[Keys]:
    """Keys of a home each; `order` gives the places of all rows, one after the other."""
    places = iter(order)
    made = []
    for home, hashes in enumerate(lists):
        rows = sorted((one, next(places)) for one in hashes)
        made.append(
            Keys(
                home,
                np.array([one for one, _ in rows], dtype=np.int64),
                np.array([place for _, place in rows], dtype=np.int64),
            )
        )
    return made


def slow_repeats(new: list[Keys], known: list[Known]) -> dict[int, int]:
    """The owner's home of each hash that occurs more than once."""
    there = {one: file.home for file in known[::-1] for one in file.hashes.tolist()}
    rows = defaultdict(list)
    for keys in new:
        for one, place in zip(keys.hashes.tolist(), keys.places.tolist(), strict=True):
            rows[one].append((place, keys.home))
    return {
        one: there.get(one, min(found)[1])
        for one, found in rows.items()
        if len(found) > 1 or one in there
    }


@settings(deadline=None)
@given(NEW, KNOWN, st.randoms(use_true_random=False), st.sampled_from([1, 2, 5, 10**6]))
def test_a_hash_that_repeats_has_the_lakes_row_or_the_first_new_one(
    lists: list[list[int]], files: list[tuple[int, list[int]]], random: object, at_once: int
) -> None:
    order = list(range(sum(map(len, lists))))
    random.shuffle(order)  # type: ignore[attr-defined]
    new = new_keys(lists, order)
    # A key is in one file of the lake: the first that has it keeps it.
    seen: set[int] = set()
    known = []
    for number, (home, hashes) in enumerate(files):
        mine = sorted(set(hashes) - seen)
        seen |= set(mine)
        known.append(Known(LAKE + home, f"file-{number}", np.array(mine, dtype=np.int64)))
    wanted = slow_repeats(new, known)
    rows = sum(map(len, lists))
    found = repeats(lambda: new, lambda: iter(known), rows=rows, rows_at_once=at_once)
    assert found.hashes.tolist() == sorted(wanted)
    assert dict(zip(found.hashes.tolist(), found.owners.tolist(), strict=True)) == wanted
    new_ones = {one for keys in new for one in keys.hashes.tolist()}
    assert found.paths == {file.path for file in known if new_ones & set(file.hashes.tolist())}


def test_hashes_are_told_with_the_homes_of_their_owners() -> None:
    found = Repeats(np.array([3, 9]), np.array([7, 5]))
    again, owners = found.of(np.array([9, 4, 3, 10]))
    assert again.tolist() == [True, False, True, False]
    assert owners.tolist() == [5, -1, 7, -1]
    nothing = Repeats(np.empty(0, np.int64), np.empty(0, np.int64))
    assert nothing.of(np.array([1]))[0].tolist() == [False]


@pytest.mark.parametrize("rows_at_once", [1, 1000, 10**9])
def test_no_rows_repeat_nothing(rows_at_once: int) -> None:
    empty = Keys(0, np.empty(0, np.int64), np.empty(0, np.int64))
    known = [Known(LAKE, "file", np.array([1, 2], dtype=np.int64))]
    for new in ([empty], []):
        found = repeats(lambda new=new: new, lambda: known, rows=0, rows_at_once=rows_at_once)
        assert len(found.hashes) == 0
