"""Terms that rise are found, and what only a few, or one alone, say is not."""

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline.trends import TermCounts, digest_of, name_words, rises, term_counts, topics
from gpu_pipeline.trends.rising import adjusted
from gpu_pipeline.trends.terms import terms_of


def test_terms_are_words_and_phrases_without_stop_words_at_their_ends() -> None:
    found = terms_of("The charging port melts. It is hot!")
    assert found == {"charging", "port", "melts", "charging port", "port melts"} | {
        "charging port melts",
        "hot",
    }


@pytest.mark.parametrize(
    "text",
    ["@maria_lopez7 https://shop.example/x", "[email] <phone>", "4111 1111", "", "it is the"],
)
def test_people_links_numbers_and_placeholders_are_no_terms(text: str) -> None:
    assert terms_of(text) == set()


def test_names_of_products_are_no_terms_but_may_be_part_of_one() -> None:
    found = terms_of("Pulse overheats", name_words(["Norvik Pulse 5"]))
    assert found == {"overheats", "pulse overheats"}


def test_copies_share_a_digest_whoever_is_named() -> None:
    text = "The port melts, beware!"
    assert digest_of("RT @bob: the port MELTS - beware https://t.co/1") == digest_of(text)
    assert digest_of("The port is fine") != digest_of(text)


def test_a_person_counts_once_a_week_however_often_they_write() -> None:
    texts = pd.DataFrame(
        {"customer_key": [1, 1, 1, 2], "week": [0, 0, 1, 0], "text": ["port melts"] * 4}
    )
    found = term_counts(texts, ())
    assert (found.people["port melts"], found.wrote) == (3, 3)
    assert dict(term_counts(texts, (), only={"port"}).people) == {"port": 3}


def test_what_rose_is_found_and_what_was_always_said_is_not() -> None:
    now = TermCounts({"port melts": 30, "battery": 100, "rare": 4}, 500)
    before = TermCounts({"port melts": 8, "battery": 800}, 4000)
    (found,) = rises(now, before).to_dict("records")
    assert (found["term"], found["people"], found["people_before"]) == ("port melts", 30, 8)
    assert found["growth"] == pytest.approx((30 / 500) / (8.5 / 4000))
    assert found["q_value"] < 1e-6


def test_without_weeks_before_nothing_rose() -> None:
    assert not len(rises(TermCounts({"port": 50}, 60), TermCounts({}, 0)))


def test_few_terms_of_chance_rise() -> None:
    rng = np.random.default_rng(3)
    rate = rng.gamma(1, 10, 20_000)
    now = {f"t{i}": n for i, n in enumerate(rng.poisson(rate))}
    before = {f"t{i}": n for i, n in enumerate(rng.poisson(8 * rate))}
    found = rises(TermCounts(now, 10_000), TermCounts(before, 80_000))
    assert not len(found)


def test_adjusted_chances_are_those_of_the_plain_rule() -> None:
    chances = np.array([0.04, 0.001, 0.2, 0.001, 0.9])
    count = len(chances)
    harmonic = sum(1 / i for i in range(1, count + 1))
    order = sorted(chances)
    plain = [
        min(1.0, *(order[j] * count * harmonic / (j + 1) for j in range(i, count)), 1.0)
        for i in (order.index(c) for c in chances)
    ]
    assert adjusted(chances) == pytest.approx(plain)


def test_terms_of_the_same_texts_are_one_topic() -> None:
    used = {"port melts": {1, 2, 3, 4}, "port": {1, 2, 3}, "refund": {8, 9}}
    assert topics(list(used), used) == ["port melts", "port melts", "refund"]
