from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_model import encoder_folder
from toy_language import MOODS, toy_source

from nlp import SentimentModel
from nlp.model.encoding import read_tokenizer
from nlp.training import Source, TrainingPlan, train
from nlp.training.phrases import learnt_phrases

PLAN = TrainingPlan(epochs=1, members=1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("encoder"))


def reviews(count: int = 300, *, seed: int = 0) -> Source:
    return replace(toy_source(count, seed=seed), phrases=True)


def test_words_for_and_against_are_learnt_and_neutral_texts_teach_nothing(encoder: Path) -> None:
    tokenizer = read_tokenizer(encoder)
    found = learnt_phrases([reviews()], tokenizer, PLAN)
    assert found is not None
    said = dict(zip(found.keys.tolist(), found.weights.tolist(), strict=True))
    against, neutral, praise = ([tokenizer.token_to_id(word) for word in mood] for mood in MOODS)
    assert max(said[word] for word in against) < -1
    assert min(said[word] for word in praise) > 1
    assert not {*neutral} & {*said}
    fillers = [abs(said[tokenizer.token_to_id(word)]) for word in ("phone", "was", "my")]
    assert max(fillers) < min(abs(said[word]) for word in against + praise) / 2


def test_as_many_are_kept_as_the_plan_says_and_those_that_weigh_most(encoder: Path) -> None:
    tokenizer = read_tokenizer(encoder)
    every = learnt_phrases([reviews()], tokenizer, PLAN)
    few = learnt_phrases([reviews()], tokenizer, replace(PLAN, most_phrases=5))
    rare = learnt_phrases([reviews()], tokenizer, replace(PLAN, phrase_texts=20))
    assert every is not None
    assert few is not None
    assert rare is not None
    assert len(few.keys) == 5
    assert np.abs(few.weights).min() == np.sort(np.abs(every.weights))[-5]
    assert {*few.keys} < {*every.keys}
    assert (np.diff(few.keys) > 0).all()
    assert 0 < len(rare.keys) < len(every.keys)


@pytest.mark.parametrize(
    "source",
    [
        toy_source(50),
        Source(name="praise", texts=["good"] * 3, labels=np.array([2, 2, 2]), phrases=True),
        Source(name="mild", texts=["okay", "the"], labels=np.array([1, 1]), phrases=True),
        Source(name="once", texts=["good", "bad"], labels=np.array([2, 0]), phrases=True),
    ],
    ids=["not asked for", "one side", "neutral", "nothing twice"],
)
def test_where_there_is_nothing_to_compare_there_are_none(encoder: Path, source: Source) -> None:
    few = replace(PLAN, phrase_texts=3)
    assert learnt_phrases([source], read_tokenizer(encoder), few) is None


def test_a_model_has_them_and_one_trained_from_it_keeps_them(encoder: Path, tmp_path: Path) -> None:
    held = [toy_source(100, seed=7)]
    plain = train([toy_source(300)], encoder=encoder, plan=PLAN, calibrate_on=held)
    first = train([reviews()], encoder=encoder, plan=PLAN, calibrate_on=held)
    assert plain.phrases is None
    assert plain.card["phrases"] == 0
    assert first.phrases is not None
    assert first.card["phrases"] > 0.05
    first.save(tmp_path / "first")
    second = train([toy_source(40, seed=5)], encoder=tmp_path / "first", plan=PLAN)
    assert second.phrases is not None
    loaded = SentimentModel.load(tmp_path / "first", "cpu").phrases
    assert loaded is not None
    np.testing.assert_array_equal(second.phrases.keys, loaded.keys)
    other = train([reviews(seed=9)], encoder=tmp_path / "first", plan=PLAN)
    assert other.phrases is not None
    assert other.phrases.weights.tolist() != loaded.weights.tolist()
