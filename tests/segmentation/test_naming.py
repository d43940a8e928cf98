from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from shoppers import in_segments, shoppers

from gpu_pipeline.contracts import contract
from gpu_pipeline.segmentation.name_rules import NAME_RULES, Bound
from gpu_pipeline.segmentation.naming import Renaming, renamings, segment_names, trait_names
from gpu_pipeline.segmentation.profiles import MEASURES, segment_profiles
from gpu_pipeline.segmentation.wording import WORDINGS, amount_text, trait_text, wording

USUAL = {
    "days_since_last_order": 100.0,
    "tenure_days": 400.0,
    "orders": 3.0,
    "average_order": 5000.0,
    "revenue": 15_000.0,
    "return_rate": 0.05,
    "discount_share": 0.1,
}


def named(*rows: dict[str, Any], previous: dict[int, str] | None = None) -> list[str]:
    """Names of segments that are as is usual, but for what is said of each."""
    profiles = pd.DataFrame([{"segment": i, **USUAL, **row} for i, row in enumerate(rows)])
    return [name for name, _ in segment_names(profiles, USUAL, previous=previous)]


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ({"return_rate": 0.25, "orders": 9}, "bought and sent back"),
        ({"orders": 6, "days_since_last_order": 100}, "champions"),
        ({"tenure_days": 100, "days_since_last_order": 20}, "promising"),
        ({"tenure_days": 100, "days_since_last_order": 20, "orders": 1.2}, "new"),
        ({"average_order": 10_000, "orders": 1.6, "days_since_last_order": 140}, "big spenders"),
        ({"orders": 2.3}, "loyal"),
        ({"orders": 1, "discount_share": 0.3, "days_since_last_order": 200}, "one-off bargain hun"),
        ({"orders": 1, "days_since_last_order": 200}, "one-off buyers"),
        ({"orders": 2, "discount_share": 0.2}, "bargain hunters"),
        ({"orders": 2, "days_since_last_order": 50}, "recently active"),
        ({"days_since_last_order": 300}, "lost"),
        ({"days_since_last_order": 299}, "slipping away"),
        ({"orders": 2.2}, "occasional"),
    ],
)
def test_the_first_rule_that_holds_names_a_segment(profile: dict[str, Any], name: str) -> None:
    (found,) = named(profile)
    assert found.startswith(name)


def test_every_rule_but_the_last_bounds_what_profiles_tell_and_names_have_no_comma() -> None:
    for rule in NAME_RULES:
        assert {bound.measure for bound in rule.bounds} <= set(MEASURES)
        assert "," not in rule.name
        assert bool(rule.bounds) == (rule is not NAME_RULES[-1])
        assert rule.description.count(".") >= 2


def test_names_are_a_merchants_and_tell_planted_segments_apart() -> None:
    kinds = {"days_since_last_order": [3, 5, 300, 400], "tenure_days": [900, 30, 800, 410]}
    frame = shoppers(**kinds, orders=[40, 2, 12, 1], revenue=[900_000, 9_000, 90_000, 500])
    profiles = segment_profiles(frame, in_segments(frame, range(4)))
    assert profiles["name"].tolist() == ["champions", "new", "slipping away", "one-off buyers"]
    assert profiles["description"].is_unique


def test_those_in_no_segment_are_unlike_the_others_whatever_they_are_like() -> None:
    frame = shoppers(orders=[40, 1, 1])
    profiles = segment_profiles(frame, in_segments(frame, [-1, 0, 0]))
    assert profiles["name"].tolist()[0] == "unlike the others"
    assert "look at the first" in profiles["description"][0]


def test_segments_of_one_name_differ_by_what_an_order_is_worth() -> None:
    many = [{"orders": 2, "average_order": worth} for worth in (100, 400, 300, 200)]
    assert named(*many) == [f"occasional, order value rank {rank}" for rank in (4, 1, 2, 3)]
    assert named(*many[:2]) == ["occasional, smaller orders", "occasional, larger orders"]


@pytest.mark.parametrize(
    ("before", "profile", "after"),
    [
        # Near a bound of the own rule, on its other side.
        ("champions", {"orders": 5.5}, "champions"),
        ("champions", {"orders": 5.3}, "loyal"),
        ("slipping away", {"days_since_last_order": 140, "orders": 2}, "slipping away"),
        # Near a bound of a rule that stands before the own one.
        ("loyal", {"orders": 6.5}, "loyal"),
        ("loyal", {"orders": 6.7}, "loyal"),
        ("loyal", {"orders": 6.7, "days_since_last_order": 80}, "champions"),
        ("occasional", {"days_since_last_order": 160, "orders": 2}, "occasional"),
        ("occasional", {"days_since_last_order": 170, "orders": 2}, "slipping away"),
        # Names that no rule has.
        ("regulars", {"orders": 5.9}, "loyal"),
    ],
)
def test_a_name_stays_while_its_rule_nearly_holds(
    before: str, profile: dict[str, Any], after: str
) -> None:
    assert named(profile, previous={0: before}) == [after]


def test_segments_of_one_name_keep_their_ends_until_their_orders_clearly_change_places() -> None:
    ends = {0: "loyal, larger orders", 1: "loyal, smaller orders"}
    nearly = [{"average_order": 950}, {"average_order": 1000}]
    assert named(*nearly, previous=ends) == list(ends.values())
    clearly = [{"average_order": 800}, {"average_order": 1000}]
    assert named(*clearly, previous=ends) == list(ends.values())[::-1]
    assert named(*nearly, {"orders": 2}, previous=ends) == [*ends.values(), "occasional"]


def test_who_had_a_name_alone_keeps_it_beside_a_second_and_the_end_when_alone_again() -> None:
    rows = [{"average_order": 900}, {"average_order": 1000}]
    alone = {0: "loyal", 1: "lost"}
    together = named(*rows, previous=alone)
    assert together == ["loyal", "loyal, larger orders"]
    assert named(*rows, previous=dict(enumerate(together))) == together
    again = named({"orders": 2}, rows[1], previous=dict(enumerate(together)))
    assert again == ["occasional", "loyal, larger orders"]


def test_a_third_segment_of_a_name_ranks_them_all() -> None:
    rows = [{"average_order": worth} for worth in (900, 1000, 1100)]
    ends = {0: "loyal, smaller orders", 1: "loyal, larger orders"}
    ranked = named(*rows, previous=ends)
    assert ranked == [f"loyal, order value rank {rank}" for rank in (3, 2, 1)]
    swapped = [{"average_order": worth} for worth in (900, 1100, 1050)]
    assert named(*swapped, previous=dict(enumerate(ranked))) == ranked


def test_a_renaming_is_told() -> None:
    before = pd.DataFrame({"segment": [0, 1, 2], "name": ["loyal", "new", "lost"]})
    after = pd.DataFrame({"segment": [0, 1, 3], "name": ["champions", "new", "lost"]})
    assert renamings(before, after) == [Renaming(0, "loyal", "champions")]


def test_a_multiple_of_nothing_is_no_bound_that_holds() -> None:
    twice = Bound("average_order", least=2)
    assert not twice.holds({"average_order": 100.0}, {"average_order": 0.0})
    assert not twice.holds({"average_order": -10.0}, {"average_order": -50.0})
    assert not twice.holds({"average_order": float("nan")}, {"average_order": 1.0})
    assert Bound("orders", most=1).holds({"orders": 0.0}, {"orders": 0.0})
    assert str(twice) == "average_order at least 2 x usual"


def traits(*rows: tuple[int, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["segment", "feature", "effect"])
    rank = frame["effect"].abs().groupby(frame["segment"]).rank(ascending=False)
    return frame.assign(rank=rank.astype("int64"))


def test_without_orders_segments_are_named_by_their_strongest_traits() -> None:
    found = trait_names(
        traits(
            *((0, "visits", 1.5), (0, "shoe_size", -1.0), (0, "age", 0.1)),
            *((1, "visits", -1.5), (1, "age", 0.9)),
            *((-1, "age", 9.0), (-1, "visits", 2.0)),
        )
    )
    assert [name for name, _ in found] == [
        "unlike the others",
        "high visits, low shoe size",
        "low visits, high age",
    ]


def test_segments_with_the_same_two_traits_are_told_apart_by_a_third_or_a_number() -> None:
    rows = [(segment, "age", 2.0) for segment in range(3)]
    rows += [(segment, "visits", 1.0) for segment in range(3)]
    rows += [(segment, "height", 0.5) for segment in range(3)]
    found = [name for name, _ in trait_names(traits(*rows))]
    assert found == [
        "high age, high visits",
        "high age, high visits, high height",
        "high age, high visits, high height (2)",
    ]


def test_the_same_traits_in_another_order_are_no_other_name() -> None:
    rows = [(0, "visits", -2.0), (0, "spend", -1.0), (1, "spend", -2.0), (1, "visits", -1.0)]
    third = [(0, "age", 0.5), (1, "age", -0.5)]
    assert [name for name, _ in trait_names(traits(*rows))] == [
        "low visits, low spend",
        "low spend, low visits (2)",
    ]
    assert [name for name, _ in trait_names(traits(*rows, *third))] == [
        "low visits, low spend",
        "low spend, low visits, low age",
    ]


def test_a_name_of_traits_stays_while_they_keep_their_signs() -> None:
    rows = [(0, "age", 0.5), (0, "visits", -2.0), (0, "height", 1.0)]
    before = {0: "high age, low visits"}
    assert trait_names(traits(*rows), previous=before)[0][0] == before[0]
    rows[0] = (0, "age", 0.1)
    assert trait_names(traits(*rows), previous=before)[0][0] == "low visits, high height"


@pytest.mark.parametrize(
    ("feature", "value", "text"),
    [
        ("orders", 1, "1 order"),
        ("categories", 1, "1 category"),
        ("products", 1, "1 different product"),
        ("support_cases", 1, "1 support case"),
        ("orders", 4.25, "4.2 orders"),
        ("days_since_last_order", 1234.4, "1,234 days"),
        ("revenue", 123456, "EUR 1,234.56"),
        ("return_rate", 0.034, "3.4%"),
        ("return_rate", 0.0, "0%"),
        ("discount_share", 0.5, "50%"),
        ("mean_mood", -0.123, "-0.12"),
        ("shoe_size", 42.0, "42"),
        ("mean_mood", float("nan"), "unknown"),
    ],
)
def test_an_amount_has_its_unit(feature: str, value: float, text: str) -> None:
    assert amount_text(feature, value, currency="EUR") == text


def test_money_has_the_digits_of_its_currency_and_is_a_number_without_one() -> None:
    assert amount_text("revenue", 1234, currency="JPY") == "JPY 1,234"
    assert amount_text("revenue", 1234, currency="KWD") == "KWD 1.234"
    assert amount_text("revenue", 1234) == "1,234"


@pytest.mark.parametrize(
    ("value", "usual", "text"),
    [
        (4, 4, "4 orders, as usual"),
        (100, 98, "100 orders, about as usual"),
        (9, 4, "9 orders, 2.2x the usual"),
        (40, 2, "40 orders, 20x the usual"),
        (5, 4, "5 orders, the usual is 4"),
        (2, 4, "2 orders, half the usual"),
        (1, 3, "1 order, a third of the usual"),
        (1, 4, "1 order, a quarter of the usual"),
        (1, 8, "1 order, the usual is 8"),
        (2, 0, "2 orders, the usual is 0"),
    ],
)
def test_a_value_is_told_against_the_usual_one(value: float, usual: float, text: str) -> None:
    assert trait_text("orders", value, usual) == text


def test_every_number_of_a_customer_has_words_of_its_own() -> None:
    numbers = {
        column.name
        for column in contract("customer_features").columns
        if column.type in ("int64", "float64") and not column.name.endswith(("_score", "_key"))
    }
    assert numbers == set(WORDINGS)
    assert wording("shoe_size").high == "high shoe size"
    phrases = [getattr(one, end) for one in WORDINGS.values() for end in ("more", "less")]
    assert len(set(phrases)) == len(phrases)


def test_every_rule_stands_in_the_documentation_in_its_order() -> None:
    page = (Path(__file__).parents[2] / "docs" / "SEGMENTS.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    told = [
        [
            rule.name,
            " and ".join(map(str, rule.bounds)) or "no other rule holds",
            rule.meaning,
            rule.advice,
        ]
        for rule in NAME_RULES
    ]
    assert rows[1:] == told
