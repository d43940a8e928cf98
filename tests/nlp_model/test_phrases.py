from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_model import classifier_folder

from nlp import ModelError, SentimentModel
from nlp.model.encoding import Window
from nlp.model.phrases import Phrases, phrases_in

VOCABULARY = 5
PAIR = (3 + 1) * VOCABULARY + 1  # token 3, then token 1
IDS = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=6)


def whole(text: int, ids: list[int]) -> Window:
    return Window(text, ids, len(ids))


@given(st.lists(st.tuples(st.integers(0, 3), IDS), max_size=8), st.randoms())
def test_polarity_is_each_texts_known_phrases_once_by_the_root_of_its_tokens(
    rows: list[tuple[int, list[int]]], random: object
) -> None:
    keys = np.array([1, 4, 7, 13, PAIR, 29])
    weights = np.array([0.5, -1.0, 2.0, 0.25, -3.0, 1.5], dtype=np.float32)
    known = dict(zip(keys.tolist(), weights.tolist(), strict=True))
    wanted = np.zeros(4)
    for text in range(4):
        mine = [ids for owner, ids in rows if owner == text]
        seen = {token for ids in mine for token in ids}
        seen |= {
            (ids[i] + 1) * VOCABULARY + ids[i + 1] for ids in mine for i in range(len(ids) - 1)
        }
        tokens = sum(len(ids) for ids in mine)
        wanted[text] = sum(known.get(key, 0.0) for key in seen) / max(tokens, 1) ** 0.5
    windows = [whole(owner, ids) for owner, ids in rows]
    found = Phrases(keys, weights, VOCABULARY).polarity(windows, 4)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_pair_does_not_reach_from_one_window_into_the_next() -> None:
    found = phrases_in([whole(0, [3]), whole(0, [1]), whole(1, [3, 1])], VOCABULARY)
    assert found.keys.tolist() == [1, 3, 1, 3, PAIR]
    assert found.owners.tolist() == [0, 0, 1, 1, 1]


def test_what_is_asked_about_an_aspect_has_no_phrases() -> None:
    phrases = Phrases(np.array([1]), np.array([1.0], np.float32), VOCABULARY)
    windows = [Window(0, [1, 1], 1), whole(1, [1])]
    assert phrases.polarity(windows, 2).tolist() == [0.0, 1.0]
    assert phrases.polarity([], 2).tolist() == [0.0, 0.0]


def test_stored_in_a_byte_each_they_are_nearly_what_they_were() -> None:
    weights = np.array([6.35, -0.01, 0.2, -6.3], dtype=np.float32)
    again = Phrases.of_stored(Phrases(np.arange(4), weights, VOCABULARY).stored(), VOCABULARY)
    assert again is not None
    assert again.keys.tolist() == [0, 2, 3]
    np.testing.assert_allclose(again.weights, weights[[0, 2, 3]], atol=0.026)


def test_pairs_of_a_large_vocabulary_keep_their_keys() -> None:
    vocabulary = 250_000
    keys = np.array([7, 250_000 * 250_000])
    phrases = Phrases(keys, np.ones(2, np.float32), vocabulary)
    again = Phrases.of_stored(phrases.stored(), vocabulary)
    assert again is not None
    assert again.keys.tolist() == keys.tolist()


@pytest.fixture
def model(tmp_path: Path) -> SentimentModel:
    """A model whose phrases say that "good" is good, whatever its transformer may say."""
    bare = SentimentModel.load(classifier_folder(tmp_path / "bare"), "cpu", precision="float32")
    good = bare.tokenizer.token_to_id("good")
    assert good is not None
    return SentimentModel(
        bare.module,
        bare.tokenizer,
        phrases=Phrases(
            np.array([good]), np.array([200.0], np.float32), bare.tokenizer.get_vocab_size()
        ),
        card={"phrases": 0.5, "phrases_power": 0.0},
    )


def test_a_model_with_phrases_is_saved_and_loaded(model: SentimentModel, tmp_path: Path) -> None:
    texts = ["good phone", "the phone", "good " * 100, ""]
    scores = model.score(texts)
    assert scores[[0, 2], 2].min() > 0.9
    bare = SentimentModel(model.module, model.tokenizer)
    np.testing.assert_allclose(scores[[1, 3]], bare.score([texts[1], texts[3]]), atol=1e-5)
    model.save(tmp_path / "saved")
    loaded = SentimentModel.load(tmp_path / "saved", "cpu", precision="float32")
    np.testing.assert_allclose(loaded.score(texts), scores, atol=0.02)
    assert loaded.version != "unsaved"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda stored: stored.pop("phrases.scale"), "phrases lack phrases.scale"),
        (lambda stored: stored["phrases.keys"].neg_(), "out of order"),
    ],
)
def test_phrases_that_are_broken_are_refused(
    model: SentimentModel, tmp_path: Path, change: object, message: str
) -> None:
    several = Phrases(np.array([1, 2]), np.ones(2, np.float32), 16)
    SentimentModel(model.module, model.tokenizer, phrases=several).save(tmp_path / "broken")
    path = tmp_path / "broken" / "model.safetensors"
    stored = load_file(path)
    change(stored)  # type: ignore[operator]
    save_file(stored, path)
    (tmp_path / "broken" / "card.json").unlink()
    with pytest.raises(ModelError, match=message):
        SentimentModel.load(tmp_path / "broken")
