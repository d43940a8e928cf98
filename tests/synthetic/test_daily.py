from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from made_shop import Record, planted, records

from gpu_pipeline.synthetic import FILES, Truth, generate

SIZE = {"customers": 200, "days": 60, "seed": 11}
EVENTS = ("orders", "clickstream", "reviews", "feedback", "social", "support", "inventory")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return generate(tmp_path_factory.mktemp("whole"), **SIZE, damage=0)


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return generate(tmp_path_factory.mktemp("daily"), **SIZE, damage=0, daily=True)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return generate(tmp_path_factory.mktemp("dirty"), **SIZE, damage=0.05, daily=True)


def deliveries(truth: Truth, source: str) -> dict[date, list[Record]]:
    """The records of a source, by the day of the folder."""
    return {
        date.fromisoformat(path.parent.name): records(path)
        for path in sorted(truth.directory.glob(f"20*/{FILES[source]}"))
    }


def bag(rows: list[Record]) -> Counter[tuple[tuple[str, str], ...]]:
    return Counter(tuple((n, str(v)) for n, v in row.items()) for row in rows if row)


def test_there_is_a_folder_for_each_day_with_a_full_export_of_the_entities(daily: Truth) -> None:
    folders = sorted(path.name for path in daily.directory.iterdir() if path.name != "truth")
    first = date(2026, 6, 30) - timedelta(days=59)
    assert folders == [str(first + timedelta(days=n)) for n in range(60)]
    for folder in folders:
        names = {path.name for path in (daily.directory / folder).iterdir()}
        assert {"customers.csv", "products.csv", "fx_rates.csv", "clickstream.parquet"} <= names


@pytest.mark.parametrize("source", [*EVENTS, "fx_rates", "promotions"])
def test_the_days_together_are_the_shop_that_comes_in_one_delivery(
    whole: Truth, daily: Truth, source: str
) -> None:
    days = deliveries(daily, source)
    together = [row for rows in days.values() for row in rows]
    assert bag(together) == bag(records(whole.directory / FILES[source]))
    assert daily.rows[source] == len(together)


def test_nothing_is_delivered_before_it_happened(daily: Truth) -> None:
    for source, times in (
        ("orders", ("ordered_at", "shipped_at", "delivered_at")),
        ("clickstream", ("occurred_at",)),
        ("support", ("sent_at", "resolved_at")),
        ("reviews", ("created_at",)),
        ("customers", ("updated_at",)),
        ("products", ("updated_at",)),
    ):
        for day, rows in deliveries(daily, source).items():
            latest = max(row[name] for row in rows if row for name in times if row[name])
            assert latest < f"{day + timedelta(days=1)}", source


def test_late_clicks_are_the_listed_ones_and_some_come_beyond_the_horizon(daily: Truth) -> None:
    late = planted(daily, "late")
    found = {
        row["event_id"]: (day - date.fromisoformat(row["occurred_at"][:10])).days
        for day, rows in deliveries(daily, "clickstream").items()
        for row in rows
        if row and not row["occurred_at"].startswith(str(day))
    }
    assert dict(zip(late["id"], late["days_late"], strict=True)) == found
    assert (late["is_beyond_horizon"] == (late["days_late"] > 35)).all()
    assert late["is_beyond_horizon"].any()
    assert (~late["is_beyond_horizon"]).sum() > 10
    for row in late.itertuples():
        delivered = records(daily.directory / str(row.file))[row.record - 1]
        assert delivered is not None
        assert delivered["event_id"] == row.id


def test_an_export_holds_each_entity_once_as_it_is_on_that_day(daily: Truth) -> None:
    exports = deliveries(daily, "customers")
    changes = planted(daily, "changes").query("source == 'customers'")
    for before, after in pairwise(exports.values()):
        assert {row["customer_id"] for row in before if row} <= {
            row["customer_id"] for row in after if row
        }
    final = pd.DataFrame(exports[date(2026, 6, 30)]).set_index("customer_id")
    assert final.index.is_unique
    assert len(final) == SIZE["customers"]
    assert len(changes) > 5
    latest = changes.sort_values("updated_at").drop_duplicates(["id", "column"], keep="last")
    for change in latest.itertuples():
        assert final.loc[change.id, change.column] == change.after
        day = change.updated_at.date() - timedelta(days=1)
        earlier = {row["customer_id"]: row for row in exports.get(day, []) if row}
        if change.id in earlier:
            assert earlier[change.id][change.column] == change.before


def test_copies_come_in_the_same_file_or_in_that_of_a_later_day(dirty: Truth) -> None:
    listed = planted(dirty, "damage")
    copies = listed[listed["kind"].eq("duplicate") & listed["file"].str.contains("clickstream")]
    first: dict[str, tuple[str, int]] = {}
    for day, rows in deliveries(dirty, "clickstream").items():
        for number, row in enumerate(rows, 1):
            if row and row["event_id"]:
                first.setdefault(str(sorted(row.items())), (str(day), number))
    is_later = []
    for copy in copies.itertuples():
        row = records(dirty.directory / str(copy.file))[copy.record - 1]
        assert row is not None
        day, number = first[str(sorted(row.items()))]
        own = str(copy.file).partition("/")[0]
        assert (day, number) < (own, copy.record)
        is_later.append(day < own)
    assert 0.2 < sum(is_later) / len(is_later) < 0.8


def test_damaged_records_are_counted_within_their_file(dirty: Truth) -> None:
    listed = planted(dirty, "damage").query("kind == 'enum'")
    listed = listed[listed["file"].str.contains("orders|clickstream")]
    values = []
    for one in listed.itertuples():
        row = records(dirty.directory / Path(str(one.file)))[one.record - 1]
        assert row is not None
        values.append(row[one.column])
    assert set(values) == {"gift", "hover"}
