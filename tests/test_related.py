"""The table of related products: of all buckets what SQL finds over whole tables."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from frames import assert_frames_equal
from lakes import rows
from tiny_shop import START, land, order

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.ingest import ingest
from gpu_pipeline.orders import settled
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps import related
from gpu_pipeline.steps.related import RELATED, session_rows
from gpu_pipeline.steps.sessions import SESSIONS
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import FILES, generate

ORACLE = (Path(__file__).parent / "oracle" / "pairs.sql").read_text()
KEY = "0ddba11a" * 8
CPU = Backend.choose("cpu")
STEPS = (SESSIONS, RELATED)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of a small shop, with bots among its visitors."""
    folder = tmp_path_factory.mktemp("landing")
    generate(folder, customers=250, days=60, seed=5)
    for source, name in FILES.items():
        if source not in ("orders", "clickstream"):
            (folder / name).unlink()
    return folder


@pytest.fixture(scope="module")
def lake_of(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Lake]:
    """The shop in that many buckets, before any step."""

    def make(buckets: int) -> Lake:
        path = tmp_path_factory.mktemp("lake") / "lake"
        lake = Lake.create(path, buckets=buckets, backend=CPU, key=KEY)
        with CPU.cluster():
            ingest(lake, landing)
        return lake

    return make


def made(lake: Lake, *, as_of: datetime | None = None) -> pd.DataFrame:
    with CPU.cluster():
        run(lake, STEPS, Config.load(), as_of=as_of)
    return rows(lake, "related_products")


def by_sql(lake: Lake) -> pd.DataFrame:
    """The table as SQL makes it of the whole tables."""
    lines = settled(rows(lake, "orders"), CPU)
    bought = lines[lines["line_type"] == "sale"][["order_id", "product_id"]]
    viewed = lake.sql("""
        SELECT s.session_id, c.product_id
        FROM clickstream c JOIN sessions s
            ON s.customer_key = c.customer_key
            AND c.occurred_at BETWEEN s.started_at AND s.ended_at
        WHERE c.event_type = 'view' AND c.product_id IS NOT NULL AND s.excluded_for IS NULL
    """)
    found = []
    for relation, frame in {"co_buy": bought, "co_view": viewed}.items():
        frame.columns = ["basket", "item"]
        with duckdb.connect() as connection:
            connection.register("rows", frame)
            pairs = connection.execute(ORACLE, {"least": 3, "largest": 200}).df()
        found.append(_first(pairs[pairs["lift"] > 1]).assign(relation=relation))
    table = pd.concat(found).assign(as_of=lake_moment(lake))
    return CPU.cast(table, contract("related_products")).sort_values(
        ["product_id", "relation", "related_product_id"], ignore_index=True
    )


def _first(pairs: pd.DataFrame) -> pd.DataFrame:
    swapped = {"item": "related_item", "related_item": "item", "reverse_confidence": "confidence"}
    back = pairs.drop(columns="confidence").rename(columns=swapped)
    both = pd.concat([pairs.drop(columns="reverse_confidence"), back])
    both = both.sort_values(["item", "baskets", "related_item"], ascending=[True, False, True])
    both["rank"] = both.groupby("item").cumcount() + 1
    named = {"item": "product_id", "related_item": "related_product_id"}
    return both[both["rank"] <= 20].rename(columns=named)


def lake_moment(lake: Lake) -> datetime:
    return max(moment for name in ("orders", "clickstream") if (moment := lake.latest(name)))


def test_related_products_are_those_of_plain_sql_in_any_number_of_buckets(
    lake_of: Callable[[int], Lake],
) -> None:
    lake = lake_of(4)
    found = made(lake)
    assert_frames_equal(found, by_sql(lake))
    assert set(found["relation"]) == {"co_buy", "co_view"}
    assert_frames_equal(made(lake_of(1)), found)


def test_as_few_pairs_at_a_time_as_memory_holds_give_the_same(
    lake_of: Callable[[int], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(2)
    wanted = made(lake)
    assert len(wanted) > 400
    monkeypatch.setattr(related, "_MOST_PAIRS", 100)
    monkeypatch.setattr(related, "_BUCKETS_AT_ONCE", 1)
    with CPU.cluster():
        run(lake, STEPS, Config.load(), from_step="related")
    assert_frames_equal(rows(lake, "related_products"), wanted)


def _sets(day: float, first: int) -> list[dict[str, Any]]:
    """Three orders of a lamp with a rug, and one of a sofa by itself."""
    both = [
        order(first + number, day, f"c{number}", product, line_no=line)
        for number in range(3)
        for line, product in enumerate(("lamp", "rug"), 1)
    ]
    return [*both, order(first + 3, day, "c1", "sofa")]


def test_what_was_sold_more_than_a_year_before_counts_no_more(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=CPU, key=KEY)
    land(lake, {"orders": _sets(0, 0) + _sets(10, 10)}, folder=tmp_path / "landing")
    whole = made(lake)
    assert whole[["product_id", "related_product_id", "baskets"]].to_numpy().tolist() == [
        ["lamp", "rug", 6],
        ["rug", "lamp", 6],
    ]
    assert whole["lift"].tolist() == [8 / 6, 8 / 6]
    later = made(lake, as_of=START + timedelta(days=365, microseconds=1))
    assert later["baskets"].tolist() == [3, 3]
    assert later["support"].tolist() == [3 / 4, 3 / 4]


def test_what_happens_later_changes_nothing(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=CPU, key=KEY)
    land(lake, {"orders": _sets(0, 0)}, folder=tmp_path / "landing")
    before = made(lake)
    land(lake, {"orders": _sets(10, 10)}, folder=tmp_path / "later")
    assert_frames_equal(made(lake, as_of=START), before)


def test_an_event_lies_in_the_session_that_has_its_moment() -> None:
    def times(*minutes: int) -> list[datetime]:
        return [START + timedelta(minutes=one) for one in minutes]

    sessions = pd.DataFrame(
        {
            "customer_key": [7, 7, -(2**63)],
            "started_at": pd.Series(times(60, 0, 5), dtype="datetime64[us]"),
            "ended_at": pd.Series(times(70, 10, 5), dtype="datetime64[us]"),
        }
    )
    events = pd.DataFrame(
        {
            "customer_key": [7, 7, 7, 7, 7, -(2**63), -(2**63), 8],
            "occurred_at": pd.Series(times(70, 0, 10, 11, -1, 5, 6, 5), dtype="datetime64[us]"),
        }
    )
    assert session_rows(events, sessions, CPU).tolist() == [0, 1, 1, -1, -1, 2, -1, -1]
    assert session_rows(events, sessions.head(0), CPU).tolist() == [-1] * 8
