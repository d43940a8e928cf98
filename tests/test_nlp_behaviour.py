import numpy as np

from nlp import SentimentModel
from nlp.behaviour import BAD, GOOD, Behaviour, Kind, Scores, behaviour


def certain_of(column: int, texts: list[str]) -> Scores:
    scores = np.zeros((len(texts), 3), dtype=np.float32)
    scores[:, column] = 1
    return scores


def by_words(texts: list[str]) -> Scores:
    """A bag of words: sees no negation, and capitals are other words to it."""
    scores = np.full((len(texts), 3), 0.1, dtype=np.float32)
    for row, text in zip(scores, texts, strict=True):
        row[0 if any(w in text for w in BAD) else 2 if any(w in text for w in GOOD) else 1] = 0.8
    return scores


def found(rows: list[Behaviour]) -> dict[str, float]:
    return {row.capability: row.passed / row.cases for row in rows}


def test_a_few_hundred_cases_of_three_kinds_are_made() -> None:
    rows = behaviour(by_words)
    assert sum(row.cases for row in rows) >= 300
    assert {row.kind for row in rows} == set(Kind)
    assert len({row.capability for row in rows}) == len(rows)
    assert all(0 <= row.passed <= row.cases and row.cases >= 8 for row in rows)


def test_the_same_seed_makes_the_same_cases_and_another_other_ones() -> None:
    seen: list[list[str]] = []

    def noted(texts: list[str]) -> Scores:
        seen.append(texts)
        return by_words(texts)

    first, second, _ = behaviour(noted, 1), behaviour(noted, 1), behaviour(noted, 2)
    assert first == second
    assert seen[0] == seen[1] != seen[2]


def test_a_model_that_always_says_the_same_has_minimum_functionality_nowhere() -> None:
    share = found(behaviour(lambda texts: certain_of(1, texts)))
    assert share["facts and questions"] == 1
    assert share["vocabulary"] == share["negated praise"] == share["denied faults"] == 0
    assert share["typos"] == share["praise added"] == share["an intensifier or !"] == 1


def test_a_bag_of_words_is_caught_at_negation_and_at_capitals() -> None:
    share = found(behaviour(by_words))
    assert share["vocabulary"] == share["brand swapped"] == share["typos"] == 1
    assert share["negated praise"] == 0
    assert share["capitals"] < 0.2


def test_a_mood_that_moves_the_wrong_way_is_caught() -> None:
    def contrary(texts: list[str]) -> Scores:
        """Likes blame and dislikes praise; the longer the text, the more of both."""
        grown = np.array([min(len(text), 200) / 200 for text in texts])
        is_praise = np.array(["love" in text or "happy" in text for text in texts])
        positive = np.where(is_praise, 1 - grown, grown)
        return np.stack([1 - positive, 0 * positive, positive], axis=1).astype(np.float32)

    share = found(behaviour(contrary))
    assert share["blame added"] < 0.6


def test_the_bundled_model_has_the_plainest_capabilities(bundled: SentimentModel) -> None:
    share = found(behaviour(bundled.score))
    assert {
        name: share[name]
        for name in ("vocabulary", "product sentences", "brand swapped")
        if share[name] < 0.9
    } == {}
