"""Files that nobody here made, under the mappings of the documentation.

Every figure is recomputed with SQL from the raw file, and every row is accounted for.
"""

# ruff: noqa: S608 - the tests make their queries of their own words

import csv
import gzip
from collections import Counter
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from landing import accepted, counts, faults, load
from real_data import ROOT, real_data

from gpu_pipeline.ingest import FileMapping
from gpu_pipeline.store import Lake

MAPPINGS = ROOT / "docs" / "mappings"


def mapped(name: str) -> FileMapping:
    return FileMapping.load(MAPPINGS / f"{name}.yaml")


def answer(query: str, path: Path) -> list[tuple[object, ...]]:
    """The rows that SQL finds in a raw file, called `raw`."""
    with duckdb.connect() as base:
        base.execute(f"CREATE VIEW raw AS SELECT * FROM '{path}'")
        return base.execute(query).fetchall()


def rows_by(frame: pd.DataFrame, column: str) -> list[tuple[object, ...]]:
    """(value, rows) in order of the values."""
    return sorted(frame.groupby(column).size().items())


def total(query: str, path: Path) -> int:
    ((found,),) = answer(query, path)
    assert isinstance(found, int)
    return found


def test_repeated_events_of_rees46_are_duplicates(lake: Lake) -> None:
    path = real_data("clickstream/rees46_electronics_duplicate_rows.parquet")
    distinct = "(SELECT DISTINCT * FROM raw)"
    rows, different = (total(f"SELECT count(*) FROM {t}", path) for t in ("raw", distinct))
    assert counts(load(lake, path, mapped("rees46"))) == (different, 0, rows - different)
    made = accepted(lake, "clickstream")
    types = answer(f"SELECT event_type, count(*) FROM {distinct} GROUP BY 1 ORDER BY 1", path)
    assert rows_by(made, "event_type") == types
    people = total("SELECT count(DISTINCT user_id) FROM raw", path)
    assert made["customer_key"].nunique() == people
    assert set(made["key_kind"]) == {"customer"}


def test_three_hours_of_rees46_have_the_events_that_the_file_has(lake: Lake) -> None:
    path = real_data("clickstream/rees46_2019oct_head.parquet")
    report = load(lake, path, mapped("rees46"))
    different = total("SELECT count(*) FROM (SELECT DISTINCT * FROM raw)", path)
    assert counts(report) == (different, 0, report.rows - different)
    made = accepted(lake, "clickstream")
    hours = answer(
        """SELECT hour(event_time), count(*) FROM (SELECT DISTINCT * FROM raw)
        GROUP BY 1 ORDER BY 1""",
        path,
    )
    assert rows_by(made.assign(hour=made["occurred_at"].dt.hour), "hour") == hours
    (product,) = answer(
        "SELECT product_id FROM raw GROUP BY 1 ORDER BY count(*) DESC LIMIT 1", path
    )
    seen = total(
        f"SELECT count(*) FROM (SELECT DISTINCT * FROM raw) WHERE product_id={product[0]}", path
    )
    assert (made["product_id"] == str(product[0])).sum() == seen
    cents = total(
        """SELECT sum(round(price * 100))::BIGINT FROM (SELECT DISTINCT * FROM raw)
        WHERE event_type = 'purchase'""",
        path,
    )
    assert made["price"][made["event_type"] == "purchase"].sum() == cents
    assert set(made["currency"]) == {"USD"}


def test_unix_times_of_retailrocket_are_moments_in_utc(lake: Lake) -> None:
    path = real_data("clickstream/retailrocket_test_sessions_timed.parquet")
    report = load(lake, path, mapped("retailrocket"))
    different = total("SELECT count(*) FROM (SELECT DISTINCT * FROM raw)", path)
    assert counts(report) == (different, 0, report.rows - different)
    made = accepted(lake, "clickstream")
    ((first, last),) = answer(
        "SELECT min(said), max(said) FROM (SELECT make_timestamp(unix_ts * 1000000) said FROM raw)",
        path,
    )
    assert (made["occurred_at"].min(), made["occurred_at"].max()) == (first, last)
    assert made["customer_key"].nunique() == total("SELECT count(DISTINCT session) FROM raw", path)
    assert set(made["key_kind"]) == {"visitor"}


def test_days_of_the_clothing_shop_stand_in_three_columns(lake: Lake) -> None:
    path = real_data("clickstream/eshop_clothing_2008.parquet")
    report = load(lake, path, mapped("eshop_clothing"))
    assert counts(report) == (total("SELECT count(*) FROM raw", path), 0, 0)
    made = accepted(lake, "clickstream")
    local = made["occurred_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Warsaw")
    assert (local == local.dt.normalize()).all()
    days = answer(
        """SELECT make_date(year::INT, month::INT, day::INT) AS said, count(*) FROM raw
        GROUP BY 1 ORDER BY 1""",
        path,
    )
    assert rows_by(made.assign(day=local.dt.date), "day") == days


RETAIL = ROOT / "data" / "online_retail.parquet"
AS_IN_THE_CSV = """SELECT InvoiceNo, StockCode, Description, Quantity,
    strftime(InvoiceDate, '%d/%m/%Y %H:%M') AS InvoiceDate, UnitPrice, CustomerID, Country
    FROM raw"""


def test_online_retail_as_csv_with_its_quirks(lake: Lake, tmp_path: Path) -> None:
    # Two months, in which prices below 0 and of parts of pennies occur, and pounds in names.
    part = tmp_path / "part.parquet"
    answer(f"COPY (SELECT * FROM raw WHERE month(InvoiceDate) IN (8, 9)) TO '{part}'", RETAIL)
    # Latin-1, days before months, and quotes only where a description has a comma or a quote.
    path = tmp_path / "online_retail.csv.gz"
    with gzip.open(path, "wt", encoding="latin-1", newline="", compresslevel=1) as file:
        writer = csv.writer(file)
        writer.writerow([name for name, *_ in answer(f"DESCRIBE {AS_IN_THE_CSV}", part)])
        writer.writerows(answer(AS_IN_THE_CSV, part))
    report = load(lake, path, mapped("online_retail_csv"))
    odd = "(UnitPrice < 0 OR abs(UnitPrice * 100 - round(UnitPrice * 100)) > 1e-6)"
    refused = total(f"SELECT count(*) FROM raw WHERE {odd}", part)
    assert refused == 4
    assert counts(report) == (report.rows - refused, refused, 0)
    assert report.rows == total("SELECT count(*) FROM raw", part)
    lines = answer(
        f"SELECT line FROM (SELECT *, file_row_number + 1 AS line FROM "
        f"read_parquet('{part}', file_row_number=true)) WHERE {odd} ORDER BY 1",
        part,
    )
    assert [(line,) for line, _ in faults(lake)] == lines
    made = accepted(lake)
    days = f"SELECT InvoiceDate::DATE, count(*) FROM raw WHERE NOT {odd} GROUP BY 1 ORDER BY 1"
    local = made["ordered_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/London")
    assert rows_by(made.assign(day=local.dt.date), "day") == answer(days, part)
    value = total(
        f"SELECT sum(round(UnitPrice * 100) * Quantity)::BIGINT FROM raw WHERE NOT {odd}", part
    )
    assert int((made["unit_price"] * made["quantity"]).sum()) == value
    pounds = total(f"SELECT count(*) FROM raw WHERE Description LIKE '%£%' AND NOT {odd}", part)
    assert made["product_name"].str.contains("£", regex=False).sum() == pounds > 0
    returns = "InvoiceNo LIKE 'C%' AND StockCode SIMILAR TO '[0-9]{5}.*'"
    wanted = total(f"SELECT count(*) FROM raw WHERE {returns} AND NOT {odd}", part)
    is_article = made["product_id"].str.match(r"\d{5}")
    assert ((made["line_type"] == "return") & is_article).sum() == wanted


BLANK = "trim(coalesce({}, '')) = ''"


@pytest.mark.parametrize(
    ("name", "file", "table", "said", "text"),
    [
        ("brand_tweets", "text/tech_brand_tweets", "social", "tweet_text, product", "tweet_text"),
        ("vader_tweets", "text/vader_tweets_groundtruth", "social", "id", "text"),
        ("semeval_tweets", "text/semeval2017_tweets_train", "social", "tweet_id, text", "text"),
        (
            "twitter_brand_entity",
            "text/twitter_brand_entity_train",
            "social",
            "id, entity, text",
            "text",
        ),
        (
            "earphones_reviews",
            "text/amazon_earphones_reviews",
            "reviews",
            "ReviewTitle, ReviewBody, ReviewStar, Product",
            "ReviewTitle || ReviewBody",
        ),
        (
            "support_requests",
            "text/support_requests_bitext",
            "support",
            "utterance, intent, tags, split",
            "utterance",
        ),
        (
            "support_chats",
            "text/support_chat_multidogo",
            "support",
            "conversation_id, turn",
            "utterance",
        ),
    ],
)
def test_texts_are_accepted_once_and_those_that_say_nothing_rejected(
    lake: Lake, name: str, file: str, table: str, said: str, text: str
) -> None:
    path = real_data(f"{file}.parquet")
    report = load(lake, path, mapped(name))
    blank = BLANK.format(text)
    nothing = total(f"SELECT count(*) FROM raw WHERE {blank}", path)
    query = f"SELECT count(*) FROM (SELECT DISTINCT {{}} FROM raw WHERE NOT {blank})"
    # In one set an id comes with several texts: the first is the post, the others conflict.
    posts = total(query.format("tweet_id" if "tweet_id" in said else said), path)
    conflicts = total(query.format(said), path) - posts
    rejected = nothing + conflicts
    assert counts(report) == (posts, rejected, report.rows - posts - rejected)
    assert report.rows == total("SELECT count(*) FROM raw", path)
    found = Counter(reason for _, reason in faults(lake, table))
    assert found.pop("text: missing", 0) == nothing
    assert list(found.values()) == [conflicts] * bool(conflicts)
    assert accepted(lake, table)["text"].str.len().min() > 0


def test_stars_and_products_of_reviews_are_those_of_the_file(lake: Lake) -> None:
    path = real_data("text/amazon_earphones_reviews.parquet")
    load(lake, path, mapped("earphones_reviews"))
    made = accepted(lake, "reviews")
    stars = "SELECT {}, count(*) FROM (SELECT DISTINCT * FROM raw) GROUP BY 1 ORDER BY 1"
    assert rows_by(made, "rating") == answer(stars.format("ReviewStar"), path)
    assert rows_by(made, "product_id") == answer(stars.format("trim(Product)"), path)
