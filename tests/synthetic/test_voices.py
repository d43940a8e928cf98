import re

import pandas as pd
import pytest
from made_shop import Shop

from gpu_pipeline.privacy import redact
from gpu_pipeline.synthetic import generate


def test_ratings_and_scores_agree_with_the_planted_mood(shop: Shop) -> None:
    for source, column, limits in (
        ("reviews", "rating", {"negative": (1, 2), "neutral": (3, 3), "positive": (4, 5)}),
        ("feedback", "score", {"negative": (0, 6), "neutral": (7, 8), "positive": (9, 10)}),
    ):
        texts = shop.texts[shop.texts["source"] == source]
        assert set(texts["sentiment"]) == set(limits)
        for mood, (low, high) in limits.items():
            assert texts[texts["sentiment"] == mood][column].between(low, high).all()


def test_texts_vary(shop: Shop) -> None:
    reviews = shop.texts[shop.texts["source"] == "reviews"]["text"]
    assert reviews.nunique() > 0.98 * len(reviews)
    assert not shop.texts["text"].str.contains(r"[{}]|  ", regex=True).any()


def test_the_mood_about_one_product_turns_bad_in_the_last_two_weeks(shop: Shop) -> None:
    said = shop.texts[shop.texts["source"] != "support"]
    late = said["created_at"] >= pd.Timestamp(shop.truth.turned_at)
    its = said["product_id"] == shop.truth.turned_product
    negative = said["sentiment"] == "negative"
    assert (its & late).sum() >= 10
    assert negative[its & late].mean() > 0.6
    assert negative[its & ~late].mean() < 0.35
    assert negative[~its & late].mean() < 0.4
    products = shop.planted("products").set_index("product_id")
    turns = products["sentiment_turns_at"].dropna()
    assert list(turns.index) == [shop.truth.turned_product]
    assert turns.iloc[0].tz_localize(None) == shop.truth.turned_at
    on_battery = said["text"].str.contains("batter|charg")
    assert on_battery[its & late & negative].mean() > 0.5
    assert on_battery[its & late & negative].mean() > 2 * on_battery[~its & negative].mean()


def test_planted_identifiers_are_in_their_texts_and_redaction_finds_them(shop: Shop) -> None:
    planted = shop.texts.dropna(subset=["planted"])
    listed = shop.planted("identifiers")
    assert set(listed["column"]) == {"text", "product_name"}
    assert sorted(listed[listed["column"] == "text"]["value"]) == sorted(planted["planted"])
    assert len(planted) > 20
    assert 0.01 < len(planted) / shop.truth.texts < 0.05
    seen = set()
    for text, identifier in zip(planted["text"], planted["planted"], strict=True):
        assert identifier in text
        clean = redact(text)
        assert identifier not in clean
        seen |= set(re.findall(r"\[(\w+)\]", clean))
    assert seen == {"email", "phone", "card", "ip", "iban"}


def test_support_cases_are_whole(shop: Shop) -> None:
    messages = shop.table("support")
    assert messages["sent_at"].is_monotonic_increasing
    for _, case in messages.groupby("case_id"):
        assert case[["customer_id", "order_id", "topic", "channel", "status"]].nunique().max() <= 1
        assert case["sent_at"].iloc[0] == case["opened_at"].iloc[0]
        resolved_at = case["resolved_at"].iloc[0]
        assert (case["status"].iloc[0] == "resolved") == pd.notna(resolved_at)
        assert pd.isna(resolved_at) or resolved_at > case["sent_at"].iloc[-1]
    sizes = messages.groupby("case_id").size()
    assert sizes[messages.groupby("case_id")["resolved_at"].first().notna()].min() >= 2
    ordered_at = shop.orders.groupby("order_id")["ordered_at"].min()
    assert (messages["opened_at"] > messages["order_id"].map(ordered_at)).all()


def test_other_products_are_talked_about_otherwise_while_their_mood_has_shifted(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("talkative")
    talkative = Shop(generate(folder, customers=9_000, days=120, seed=3, damage=0))
    shifts = talkative.planted("sentiment_shifts")
    said = talkative.texts[talkative.texts["source"] != "support"]
    told = said[said["sentiment"] != "neutral"]
    assert len(shifts) == 1 + 79 // 2 // 12
    for shift in shifts.itertuples():
        its = told[told["product_id"] == shift.product_id]
        within = its["created_at"].between(shift.since, shift.until, inclusive="left")
        is_positive = its["sentiment"] == "positive"
        assert within.sum() > 10
        assert is_positive[within].mean() == pytest.approx(shift.level, abs=0.2)
        assert is_positive[~within].mean() == pytest.approx(shift.level_before, abs=0.2)


def test_phones_are_of_many_countries(shop: Shop) -> None:
    numbers = shop.planted("identifiers").query("kind == 'phone'")["value"]
    assert numbers.str[:3].nunique() >= 4
