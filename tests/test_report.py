"""The report: answers from the lake's tables, and a page that loads nothing and escapes data."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lakes import put

from gpu_pipeline import Lake
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.publish import FACTS, write_snapshot
from gpu_pipeline.report import answers, write_report

MONDAY = datetime.fromisoformat("2026-06-01")
EVIL = "</script><script>alert('phone')</script>"
MEGABYTE = 2**20


def put_forecast(lake: Lake, **units_a_day: float) -> None:
    put(
        lake,
        "demand_forecast",
        *(
            {
                "product_id": product,
                "day": MONDAY + timedelta(days=day),
                "horizon": day + 1,
                "mean": units,
                "p10": units / 2,
                "p90": units * 3,
                "total_sd": units * (day + 1) / 8,
                "model": "smoothing" if units > 1 else "seasonal_naive",
                "error": 2.0,
                "naive_error": 2.5 if units > 1 else 2.0,
                "as_of": MONDAY - timedelta(days=1),
            }
            for product, units in units_a_day.items()
            for day in range(4)
        ),
    )
    put(lake, "demand_daily", {"product_id": next(iter(units_a_day)), "units": 3, "day": MONDAY})


def put_segments(lake: Lake, currency: str = "EUR") -> None:
    put(
        lake,
        "segment_profiles",
        {"segment": 1, "name": "new", "customers": 60, "revenue_share": 0.2, "orders": 1.0},
        {
            "segment": 0,
            "name": "champions",
            "customers": 40,
            "customer_share": 0.4,
            "revenue_share": 0.8,
            "orders": 7.0,
            "days_since_last_order": 9.0,
            "average_order": 12345.0,
            "revenue": 1234567.0,
            "currency": currency,
        },
    )


def put_visits(lake: Lake) -> None:
    counts = {"viewed": 30, "carted": 10, "checked_out": 6, "purchased": 4, "abandoned_carts": 6}
    old = MONDAY - timedelta(days=28)
    put(
        lake,
        "funnel_daily",
        {"day": MONDAY, "channel": "email", "sessions": 40, "views": 80, "bounced": 4, **counts},
        {"day": MONDAY, "channel": "paid", "sessions": 60, "views": 70},
        {"day": old, "channel": "email", "sessions": 99},
    )


def put_quality(lake: Lake, **rates: tuple[float, float, float]) -> None:
    """(return rate, its lower end, the category's) of products in their last week."""
    names = ("return_rate", "return_rate_low", "category_return_rate")
    before = {"week": MONDAY - timedelta(days=7), "return_rate_low": 1.0}
    rows = [
        row
        for product, found in rates.items()
        for row in (
            {"product_id": product, **before},
            {"product_id": product, "week": MONDAY, **dict(zip(names, found, strict=True))},
        )
    ]
    put(lake, "product_quality", *rows)


def put_texts(lake: Lake, **labels: str) -> None:
    """Texts about products, labels by their first letters."""
    words = {"n": "negative", "o": "neutral", "p": "positive"}
    put(
        lake,
        "text_sentiment",
        *(
            {"text_id": f"{product}{i}", "product_id": product, "label": words[letter]}
            for product, letters in labels.items()
            for i, letter in enumerate(letters)
        ),
    )


def put_run(lake: Lake, run_id: str, as_of: datetime, **facts: Any) -> None:
    folder = lake.path / "runs"
    folder.mkdir(exist_ok=True)
    record = {
        "run_id": run_id,
        "as_of": str(as_of),
        "device": "cpu: asked for",
        "finished": True,
        **facts,
    }
    (folder / f"{run_id}.json").write_text(json.dumps(record))


def publish_names(lake: Lake, **names: str) -> None:
    found = pd.DataFrame({"product_id": list(names), "name": list(names.values())}, dtype="str")
    facts = {name: "x" for name in FACTS} | dict.fromkeys(
        ("as_of", "made_at"), datetime.now(UTC).isoformat()
    )
    write_snapshot(lake.path / "serving", {"product_names": [found]}, facts=facts)


def put_everything(lake: Lake, *, product_name: str = "Phone") -> None:
    put_segments(lake)
    put_forecast(lake, P1=10.0, P2=1.0)
    put_texts(lake, P1="n" * 12 + "p" * 8)
    put(lake, "orders_rejected", {"reasons": "quantity: missing"})
    put(lake, "source_files", {"contract": "orders", "name": "orders.csv", "rows": 1234})
    put_visits(lake)
    put_quality(lake, P1=(0.25, 0.2, 0.1))
    put_run(lake, "20260601T000000Z-aaaaaa", MONDAY)
    publish_names(lake, P1=product_name, P2="Case")


def test_an_empty_lake_has_empty_answers_with_their_columns(lake: Lake) -> None:
    found = answers(lake)
    frames = {name: value for name, value in vars(found).items() if hasattr(value, "columns")}
    assert {name: len(frame) for name, frame in frames.items()} == dict.fromkeys(frames, 0)
    assert list(found.top_products.columns) == [
        *("product_id", "name", "units", "units_low", "units_high"),
        *("model", "error", "naive_error", "improvement"),
    ]
    assert list(found.rejections.columns) == ["source", "reason", "rows"]
    assert list(found.forecast_quality.columns) == [
        *("model", "products", "error", "naive_error", "improvement"),
    ]
    assert list(found.sentiment.columns) == ["product_id", "name", "texts", "negative", "positive"]
    assert found.as_of is None
    assert found.currency == ""


def test_segments_come_in_their_order_with_amounts_in_major_units(lake: Lake) -> None:
    put_segments(lake)
    found = answers(lake).segments
    assert found["name"].tolist() == ["champions", "new"]
    assert found["average_order"][0] == pytest.approx(123.45)
    assert found["revenue"][0] == pytest.approx(12345.67)


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [("JPY", 12345, "12,345"), ("KWD", 12.345, "12.345"), ("EUR", 123.45, "123.45")],
)
def test_a_currency_decides_where_the_point_stands(
    lake: Lake, tmp_path: Path, currency: str, amount: float, shown: str
) -> None:
    put_segments(lake, currency)
    found = answers(lake)
    assert found.currency == currency
    assert found.segments["average_order"][0] == pytest.approx(amount)
    page = Page(write_report(lake, tmp_path / "page.html", answers=found))
    assert shown in page.cells


def test_top_products_add_up_the_days_and_say_what_the_model_wins(lake: Lake) -> None:
    put_forecast(lake, P1=10.0, P2=1.0, P3=20.0)
    top = answers(lake).top_products
    assert top["product_id"].tolist() == ["P3", "P1", "P2"]
    assert top["units"].tolist() == [80.0, 40.0, 4.0]
    # The spread of all days together is an eighth of what is sold.
    assert top["units_low"].to_numpy()[:2] == pytest.approx([80 - 1.28 * 10, 40 - 1.28 * 5], abs=1)
    assert top["units_high"].to_numpy()[:2] == pytest.approx([80 + 1.28 * 10, 40 + 1.28 * 5], abs=1)
    assert top["improvement"].round(6).tolist() == [0.2, 0.2, 0.0]


def test_of_many_products_the_ten_with_most_units_are_shown(lake: Lake) -> None:
    put_forecast(lake, **{f"P{i:02}": float(i) for i in range(1, 15)})
    top = answers(lake).top_products
    assert top["product_id"].tolist() == [f"P{i:02}" for i in range(14, 4, -1)]


def test_an_improvement_over_a_perfect_naive_forecast_is_missing(lake: Lake) -> None:
    put(lake, "demand_forecast", {"product_id": "P1", "error": 0.0, "naive_error": 0.0})
    assert answers(lake).top_products["improvement"].isna().all()


def test_products_have_their_published_names_and_else_their_numbers(lake: Lake) -> None:
    put_forecast(lake, P1=10.0, P2=1.0)
    assert answers(lake).top_products["name"].tolist() == ["P1", "P2"]
    publish_names(lake, P1="Phone")
    assert answers(lake).top_products["name"].tolist() == ["Phone", "P2"]


def test_forecast_quality_sums_errors_by_model_and_over_all(lake: Lake) -> None:
    put_forecast(lake, P1=10.0, P2=1.0, P3=20.0)
    found = answers(lake).forecast_quality.set_index("model")
    assert found.index.tolist() == ["smoothing", "seasonal_naive", "all"]
    assert found["products"].tolist() == [2, 1, 3]
    assert found["error"].tolist() == [4.0, 2.0, 6.0]
    assert found["naive_error"].tolist() == [5.0, 2.0, 7.0]
    assert found["improvement"].tolist() == pytest.approx([0.2, 0.0, 1 / 7])


def test_a_row_that_breaks_two_rules_counts_for_each(lake: Lake) -> None:
    put(
        lake,
        "orders_rejected",
        {"reasons": "quantity: missing; unit_price: below 0"},
        {"reasons": "quantity: missing", "line": 2},
        {"reasons": "quantity: missing; unit_price: below 0", "line": 3},
    )
    put(lake, "reviews_rejected", {"reasons": "not JSON"})
    with lake.writer() as writer:
        writer.commit(contract("social_rejected"), [])
    assert answers(lake).rejections.to_dict("records") == [
        {"source": "orders", "reason": "quantity: missing", "rows": 3},
        {"source": "orders", "reason": "unit_price: below 0", "rows": 2},
        {"source": "reviews", "reason": "not JSON", "rows": 1},
    ]


def test_loads_say_what_became_of_every_file(lake: Lake) -> None:
    counts = {"rows": 10, "accepted": 7, "rejected": 2, "duplicates": 1}
    put(lake, "source_files", {"contract": "orders", "name": "b.csv", **counts})
    put(lake, "source_files", {"contract": "orders", "name": "a.csv", "file_no": 1, **counts})
    found = answers(lake).loads.to_dict("records")
    assert found == [{"contract": "orders", "file": f"{n}.csv", **counts} for n in "ab"]


def test_products_with_enough_texts_are_listed_worst_first(lake: Lake) -> None:
    put_texts(lake, FEW="n" * 19, P1="n" * 5 + "o" * 5 + "p" * 10, P2="n" * 12 + "p" * 12)
    found = answers(lake).sentiment
    assert found["product_id"].tolist() == ["P2", "P1"]
    assert found["texts"].tolist() == [24, 20]
    assert found["negative"].tolist() == [0.5, 0.25]
    assert found["positive"].tolist() == [0.5, 0.5]


def test_visits_are_those_of_the_last_days_step_by_step_and_by_channel(lake: Lake) -> None:
    put_visits(lake)
    found = answers(lake)
    steps = found.visit_funnel
    assert steps["name"].tolist() == ["visit", "view", "cart", "checkout", "purchase"]
    assert steps["reached"].tolist() == [100, 30, 10, 6, 4]
    assert steps["share_of_entries"].tolist() == [1.0, 0.3, 0.1, 0.06, 0.04]
    assert found.visits["channel"].tolist() == ["paid", "email", "all"]
    assert found.visits["sessions"].tolist() == [60, 40, 100]
    assert found.visits["pages_per_session"].tolist() == [70 / 60, 2.0, 1.5]
    assert found.visits["cart_abandonment_rate"].tolist()[1:] == [0.6, 0.6]
    assert np.isnan(found.visits["cart_abandonment_rate"][0])


def test_what_comes_back_stands_above_its_category_beyond_chance_now(lake: Lake) -> None:
    put_quality(lake, P1=(0.2, 0.15, 0.1), P2=(0.4, 0.05, 0.1), P3=(0.3, 0.2, 0.1))
    assert answers(lake).returns["product_id"].tolist() == ["P3", "P1"]


def test_as_of_is_that_of_the_last_run(lake: Lake) -> None:
    put_run(lake, "20260602T000000Z-aaaaaa", MONDAY)
    put_run(lake, "20260601T235959Z-zzzzzz", MONDAY - timedelta(days=9))
    assert answers(lake).as_of == MONDAY


def test_the_page_shows_tables_pictures_and_where_they_come_from(
    lake: Lake, tmp_path: Path
) -> None:
    put_everything(lake)
    page = Page(write_report(lake, tmp_path / "new" / "page.html", answers=answers(lake)))
    assert page.path == tmp_path / "new" / "page.html"
    assert page.pictures == [
        *("segments", "visits", "carts", "forecast-1", "forecast-2"),
        *("sentiment", "rejections"),
    ]
    assert set(page.pictures) == set(page.figures())
    assert {"champions", "40.0%", "80.0%", "Phone", "60.0%", "quantity: missing", "1,234"} <= set(
        page.cells
    )
    assert "As of 01 June 2026, 00:00 UTC. Amounts in EUR." in page.text
    assert "Run 20260601T000000Z-aaaaaa on cpu: asked for." in page.text
    assert "demand_forecast 1" in page.text


def test_the_page_draws_the_numbers_of_the_lake(lake: Lake, tmp_path: Path) -> None:
    put_everything(lake)
    figures = Page(write_report(lake, tmp_path / "p.html", answers=answers(lake))).figures()
    (expected,) = [one for one in figures["forecast-1"]["data"] if one.get("name") == "expected"]
    assert numbers(expected["y"]) == [10.0] * 4
    assert numbers(figures["segments"]["data"][0]["marker"]["size"]) == [40, 60]
    assert "Phone" in figures["forecast-1"]["layout"]["title"]["text"]
    assert "Case" in figures["forecast-2"]["layout"]["title"]["text"]


def test_the_page_draws_the_mood_of_what_the_first_alert_is_about(
    lake: Lake, tmp_path: Path
) -> None:
    alert = {"product_id": "p1", "aspect": "battery", "kind": "worse", "examples": "[]"}
    put(lake, "trend_alerts", {**alert, "opened_at": MONDAY, "detected_at": MONDAY})
    moods = {("p1", "battery"): -0.5, ("p1", ""): 0.25, ("p2", "battery"): 0.75}
    days = [
        {"product_id": product, "aspect": aspect, "day": MONDAY, "texts": 3, "mood": mood}
        for (product, aspect), mood in moods.items()
    ]
    put(lake, "product_sentiment_daily", *days)
    page = Page(write_report(lake, tmp_path / "p.html", answers=answers(lake)))
    drawn = page.figures()["mood"]
    assert "mood" in page.pictures
    (mood,) = [one for one in drawn["data"] if one["name"] == "a day's mood"]
    assert numbers(mood["y"]) == [-0.5]
    assert "battery of p1" in drawn["layout"]["title"]["text"]


def test_the_page_of_an_empty_lake_says_what_is_missing(lake: Lake, tmp_path: Path) -> None:
    page = Page(write_report(lake, tmp_path / "page.html", answers=answers(lake)))
    assert page.pictures == []
    assert page.cells == []
    for said in (
        "Nothing was run yet",
        "No segments yet",
        "No forecast yet",
        "No visits yet",
        "Nothing was loaded",
    ):
        assert said in page.text


def test_the_page_loads_nothing_and_may_not(lake: Lake, tmp_path: Path) -> None:
    put_everything(lake)
    page = Page(write_report(lake, tmp_path / "page.html", answers=answers(lake)))
    assert page.links == []
    assert "url(" not in page.style
    assert "@import" not in page.style
    policy = dict(part.strip().split(" ", 1) for part in page.policy.split(";"))
    assert policy["default-src"] == "'none'"
    assert "http" not in page.policy
    assert policy["script-src"].split() == [digest(script) for script in page.scripts]


def test_the_page_is_small_enough_to_send(lake: Lake, tmp_path: Path) -> None:
    put_everything(lake)
    path = write_report(lake, tmp_path / "page.html", answers=answers(lake))
    assert path.stat().st_size < 6 * MEGABYTE


def test_markup_in_a_name_is_shown_and_not_obeyed(lake: Lake, tmp_path: Path) -> None:
    put_everything(lake, product_name=EVIL)
    page = Page(write_report(lake, tmp_path / "page.html", answers=answers(lake)))
    assert len(page.scripts) == 2
    assert EVIL in page.cells
    assert "&lt;/script&gt;" in page.figures()["forecast-1"]["layout"]["title"]["text"]


def test_a_page_that_cannot_be_written_is_one_clear_line(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match=r"Can't write the report to .*file/page.html"):
        write_report(lake, tmp_path / "file" / "page.html", answers=answers(lake))


def test_a_page_that_cannot_be_written_leaves_the_one_before(lake: Lake, tmp_path: Path) -> None:
    path = write_report(lake, tmp_path / "page.html", answers=answers(lake))
    before = path.read_bytes()
    with refused(path), pytest.raises(PipelineError):
        write_report(lake, path, answers=answers(lake))
    assert path.read_bytes() == before


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """While it lasts, nothing new can be written beside the path."""
    blocked = path.with_name(f"{path.name}.new")
    blocked.mkdir()
    try:
        yield
    finally:
        blocked.rmdir()


def digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def numbers(values: Any) -> list[float]:
    """Plotly's numbers, which may be base64 of an array."""
    if isinstance(values, dict):
        values = np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
    return list(values)


class Page(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.pictures: list[str] = []
        self.links: list[str] = []
        self.cells: list[str] = []
        self.scripts: list[str] = []
        self.style = self.policy = self.text = ""
        self._tag = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._tag = tag
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        if found.get("class") == "figure":
            self.pictures.append(found["id"] or "")
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "script":
            self.scripts.append(data)
        elif self._tag == "style":
            self.style += data
        elif self._tag == "td":
            self.cells.append(data)
        else:
            self.text += data

    def figures(self) -> dict[str, Any]:
        """The figures that the page's own script draws, by the id of their place."""
        found = re.search(r"const figures = (\{.*\});\nconst config", self.scripts[1])
        assert found is not None
        figures: dict[str, Any] = json.loads(found[1])
        return figures


def test_a_run_that_did_not_finish_says_nothing_of_the_answers(lake: Lake) -> None:
    put_run(lake, "20260630T100000Z-aaaaaa", datetime.fromisoformat("2026-06-30"))
    put_run(lake, "20260701T100000Z-bbbbbb", datetime.fromisoformat("1999-01-01"), finished=False)
    assert answers(lake).as_of == datetime.fromisoformat("2026-06-30")


def test_texts_of_later_than_the_run_are_not_counted(lake: Lake) -> None:
    put_texts(lake, lamp="p" * 30)
    put_run(lake, "20200101T100000Z-aaaaaa", datetime.fromisoformat("2020-01-01"))
    assert len(answers(lake).sentiment) == 0
    put_run(lake, "20990101T100000Z-bbbbbb", datetime.fromisoformat("2099-01-01"))
    assert answers(lake).sentiment["texts"].tolist() == [30]
