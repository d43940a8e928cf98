"""Pairs of items against plain SQL and a slow twin, in any parts and order, and on real orders."""

from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.associations import PairCounts, both_ways, pairs, ranked, related
from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import PipelineError

CPU = Backend.choose("cpu")
ORACLE = (Path(__file__).parent / "oracle" / "pairs.sql").read_text()
RETAIL = Path(__file__).parents[1] / "data" / "online_retail.parquet"
ITEMS = ["fork", "knife", "spoon", "Löffel", ""]


def frame_of(rows: list[tuple[Any, Any]], *, item: str = "str") -> pd.DataFrame:
    baskets, items = zip(*rows, strict=True) if rows else ((), ())
    return pd.DataFrame(
        {
            "basket": pd.Series(baskets, dtype=None if rows else "int64"),
            "item": pd.Series(items, dtype=item),
        }
    )


def drawn(baskets: st.SearchStrategy[Any]) -> st.SearchStrategy[pd.DataFrame]:
    row = st.tuples(baskets, st.sampled_from(ITEMS))
    return st.lists(row, max_size=40).map(frame_of)


NUMBERS = st.sampled_from([-(2**63), -1, 0, 7, 8, 2**63 - 1])
ANY = drawn(NUMBERS) | drawn(st.sampled_from(["o1", "o2", "Ö3", ""]))


class Small(Backend):
    """A device that takes a few rows at once."""

    @property
    def rows_at_once(self) -> int:
        return 3


def by_sql(frame: pd.DataFrame, *, least: int, largest: int = 1000) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("rows", frame)
        found = connection.execute(ORACLE, {"least": least, "largest": largest}).df()
    return found.astype({"item": "str", "related_item": "str"})


def slow_pairs(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    """How many baskets hold both, basket by basket."""
    held: dict[Any, set[str]] = {}
    for basket, item in frame.itertuples(index=False, name=None):
        held.setdefault(basket, set()).add(item)
    return Counter(pair for items in held.values() for pair in combinations(sorted(items), 2))


@settings(deadline=None, max_examples=60)
@given(ANY, st.integers(1, 3))
def test_pairs_are_those_of_plain_sql(frame: pd.DataFrame, least: int) -> None:
    found = pairs(frame, basket="basket", item="item", min_count=least)
    assert_frames_equal(found, by_sql(frame, least=least).astype(found.dtypes))


@settings(deadline=None, max_examples=60)
@given(ANY)
def test_pairs_are_those_that_are_found_basket_by_basket(frame: pd.DataFrame) -> None:
    found = pairs(frame, basket="basket", item="item")
    names = zip(found["item"], found["related_item"], strict=True)
    assert dict(zip(names, found["baskets"], strict=True)) == slow_pairs(frame)


@settings(deadline=None, max_examples=40)
@given(ANY, st.integers(1, 3), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_nor_pieces_change_a_thing(
    frame: pd.DataFrame, least: int, rng: Any
) -> None:
    wanted = pairs(frame, basket="basket", item="item", min_count=least)
    places = [*range(len(frame)), *range(len(frame) // 2)]
    rng.shuffle(places)
    shuffled = frame.iloc[places]
    assert_frames_equal(pairs(shuffled, basket="basket", item="item", min_count=least), wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backend, "rows_at_once", Small.rows_at_once)
        assert_frames_equal(pairs(shuffled, basket="basket", item="item", min_count=least), wanted)


@settings(deadline=None, max_examples=15)
@given(drawn(NUMBERS), st.integers(1, 4), st.integers(1, 2))
def test_a_dask_frame_gives_the_same_in_any_number_of_partitions(
    frame: pd.DataFrame, partitions: int, least: int
) -> None:
    with CPU.cluster():
        parts = dd.from_pandas(frame, npartitions=partitions)  # type: ignore[no-untyped-call]
        found = pairs(parts, basket="basket", item="item", min_count=least)
    assert_frames_equal(found, pairs(frame, basket="basket", item="item", min_count=least))


@settings(deadline=None, max_examples=40)
@given(drawn(NUMBERS), st.integers(1, 4))
def test_counts_of_parts_that_share_no_basket_add_up(frame: pd.DataFrame, parts: int) -> None:
    part = frame["basket"] % parts
    counts = [
        PairCounts.of(frame[part == number], basket="basket", item="item")
        for number in range(parts)
    ]
    found, whole = PairCounts.sum(counts, CPU), PairCounts.of(frame, basket="basket", item="item")
    assert (found.count, list(found.items)) == (whole.count, list(whole.items))
    for name in ("held_by", "first", "second", "together"):
        assert_frames_equal(getattr(found, name), getattr(whole, name))


@settings(deadline=None, max_examples=40)
@given(drawn(NUMBERS), st.integers(1, 4))
def test_a_basket_that_is_too_large_counts_nowhere(frame: pd.DataFrame, largest: int) -> None:
    found = pairs(frame, basket="basket", item="item", largest_basket=largest)
    assert_frames_equal(found, by_sql(frame, least=1, largest=largest).astype(found.dtypes))
    counts = PairCounts.of(frame, basket="basket", item="item", largest_basket=largest)
    sizes = frame.groupby("basket")["item"].nunique()
    assert counts.left_out == (sizes > largest).sum()
    assert counts.count == (sizes <= largest).sum()


def test_a_basket_of_a_thousand_items_is_refused_unless_a_limit_is_given() -> None:
    crawler = pd.DataFrame({"basket": 1, "item": np.arange(1001)})
    with pytest.raises(PipelineError, match=r"1 of 2 baskets have more than 1,000 .* 1,001: no sh"):
        pairs(pd.concat([crawler, crawler.head(3).assign(basket=2)]), basket="basket", item="item")
    assert len(pairs(crawler.head(1000), basket="basket", item="item")) == 1000 * 999 / 2
    assert len(pairs(crawler, basket="basket", item="item", largest_basket=1001)) == 1001 * 500


def test_several_columns_together_tell_baskets_apart() -> None:
    rows = frame_of([(1, "fork"), (1, "knife"), (1, "fork"), (1, "knife"), (1, "spoon")])
    rows["shop"] = ["x", "x", "y", "y", "z"]
    found = pairs(rows, basket=["shop", "basket"], item="item")
    assert found["baskets"].tolist() == [2]
    assert found["support"].tolist() == [2 / 3]


def test_items_may_be_numbers() -> None:
    rows = frame_of([(1, 10), (1, 9), (2, 10), (2, 9), (2, -1)], item="int64")
    found = pairs(rows, basket="basket", item="item")
    assert found[["item", "related_item", "baskets"]].to_numpy().tolist() == [
        [9, 10, 2],
        [-1, 9, 1],
        [-1, 10, 1],
    ]


def test_top_keeps_the_first_and_ties_go_by_item() -> None:
    rows = frame_of([(basket, item) for basket in (1, 2) for item in ("c", "b", "a")])
    found = pairs(rows, basket="basket", item="item", top=2)
    assert found[["item", "related_item"]].to_numpy().tolist() == [["a", "b"], ["a", "c"]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"item": "sku"}, "No column sku among basket, item"),
        ({"min_count": 0}, "min_count=0: it is 1 at least"),
        ({"top": 0}, "top=0: it is 1 at least"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        pairs(frame_of([(1, "fork")]), **({"basket": "basket", "item": "item"} | change))


def test_rows_without_an_item_are_refused() -> None:
    with pytest.raises(PipelineError, match="1 of 2 rows have no 'item'"):
        pairs(frame_of([(1, "fork"), (1, None)]), basket="basket", item="item")


@settings(deadline=None, max_examples=60)
@given(drawn(NUMBERS), st.integers(1, 3), st.sampled_from(["baskets", "lift"]))
def test_related_items_are_the_first_of_each_item(frame: pd.DataFrame, top: int, by: Any) -> None:
    found = pairs(frame, basket="basket", item="item")
    table = related(found, top=top, by=by)
    wanted: list[tuple[Any, ...]] = []
    for item in sorted(set(frame["item"])):
        others = [
            (row.lift, row.baskets, row.related_item, row.confidence)
            for row in found[found["item"] == item].itertuples()
        ] + [
            (row.lift, row.baskets, row.item, row.reverse_confidence)
            for row in found[found["related_item"] == item].itertuples()
        ]
        others.sort(key=lambda o: (-o[0] if by == "lift" else 0, -o[1], o[2]))
        wanted += [
            (item, other, rank, baskets, confidence, lift)
            for rank, (lift, baskets, other, confidence) in enumerate(others[:top], 1)
        ]
    columns = ["item", "related_item", "rank", "baskets", "confidence", "lift"]
    assert list(table[columns].itertuples(index=False, name=None)) == wanted


@settings(deadline=None, max_examples=30)
@given(drawn(NUMBERS), st.integers(1, 3), st.integers(0, 10))
def test_the_first_of_parts_first_ones_are_the_first_of_all(
    frame: pd.DataFrame, top: int, cut: int
) -> None:
    found = pairs(frame, basket="basket", item="item")
    parts = [found.head(cut), found.iloc[cut:].reset_index(drop=True)]
    firsts = [ranked(both_ways(part), top=top).drop(columns="rank") for part in parts]
    assert_frames_equal(ranked(pd.concat(firsts), top=top), related(found, top=top))


def test_real_orders_pair_what_is_of_one_set() -> None:
    lines = pd.read_parquet(RETAIL, columns=["InvoiceNo", "StockCode", "Quantity"])
    sold = lines[(lines["Quantity"] > 0) & lines["StockCode"].str.contains("^[0-9]{5}", regex=True)]
    found = pairs(sold, basket="InvoiceNo", item="StockCode", min_count=50, largest_basket=10_000)
    rows = sold.rename(columns={"InvoiceNo": "basket", "StockCode": "item"})
    wanted = by_sql(rows, least=50, largest=10_000)
    wanted.columns = found.columns
    assert_frames_equal(found, wanted)
    # Jumbo bags in pink polka dots and in red; green Regency teacups and those with roses.
    first = found[["StockCode", "related_StockCode"]].head(2).to_numpy().tolist()
    assert first == [["22386", "85099B"], ["22697", "22699"]]
    # A teacup goes with the two others of its kind, whichever way the pair is looked at.
    table = related(found, top=2)
    for cup, others in {"22697": {"22698", "22699"}, "22698": {"22697", "22699"}}.items():
        assert set(table[table["StockCode"] == cup]["related_StockCode"]) == others
    # By lift, cutlery of one pattern comes with that of the two others.
    sharp = related(found, top=2, by="lift")
    cutlery = sharp[sharp["StockCode"] == "84997b"]
    assert set(cutlery["related_StockCode"]) == {"84997c", "84997d"}
