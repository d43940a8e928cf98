"""Every kind of classifier scores as transformers' own forward does, alone and in company."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_kinds import KINDS, TinyKind, kind_folder, tokenizer_of
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from nlp import ModelError, SentimentModel
from nlp.model.encoding import longest_input

LONGEST = "good " * 26
TEXTS = ["good phone", "the phone is awful and my phone is broken", "okay", "", LONGEST]
ABOUT = ["phone", None, "the phone", "phone", "okay"]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def by_transformers(folder: Path, kind: TinyKind, text: str, about: str | None) -> np.ndarray:
    """What transformers itself says of one text: its tokenizer, its loading, its forward."""
    padding = kind.specials[1 if kind.specials[1] == "<pad>" else 0]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_of(kind),
        model_input_names=list(kind.inputs),
        pad_token=padding,
    )
    module = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    given = tokenizer(text, about, return_tensors="pt")
    with torch.inference_mode():
        return module.eval()(**given).logits.softmax(-1)[0].float().numpy()


@kinds
def test_a_kind_scores_as_transformers_does(tmp_path: Path, kind: TinyKind) -> None:
    folder = kind_folder(tmp_path, kind, targets=True)
    model = SentimentModel.load(folder, "cpu", precision="float32")
    wanted = [by_transformers(folder, kind, text, None) for text in TEXTS]
    np.testing.assert_allclose(model.score(TEXTS), wanted, atol=1e-4)
    pairs = [by_transformers(folder, kind, *pair) for pair in zip(TEXTS, ABOUT, strict=True)]
    np.testing.assert_allclose(model.score(TEXTS, ABOUT), pairs, atol=1e-4)
    assert np.abs(np.array(pairs) - wanted).max() > 0.01


@kinds
def test_a_kind_reads_texts_of_any_length_the_same_in_both_precisions(
    tmp_path: Path, kind: TinyKind
) -> None:
    folder = kind_folder(tmp_path, kind, targets=True)
    texts = [" ".join(["good", "awful", "the"][i % 3] for i in range(n)) for n in range(0, 90, 7)]
    about = ["phone" if n % 2 else None for n in range(len(texts))]
    exact = SentimentModel.load(folder, "cpu", precision="float32")
    scores = exact.score(texts, about)
    alone = [exact.score([t], [a])[0] for t, a in zip(texts, about, strict=True)]
    np.testing.assert_allclose(scores, alone, atol=1e-4)
    rough = SentimentModel.load(folder, "cpu", precision="bfloat16").score(texts, about)
    np.testing.assert_allclose(scores, rough, atol=0.1)  # random weights know no restraint


@kinds
def test_a_window_has_every_position_that_the_kind_has(tmp_path: Path, kind: TinyKind) -> None:
    model = SentimentModel.load(kind_folder(tmp_path, kind), "cpu", precision="float32")
    wanted = 32 if kind.name in ("roberta", "xlm-roberta", "camembert") else 34
    assert longest_input(model.module) == wanted


def test_an_aspect_that_leaves_no_room_is_refused(tmp_path: Path) -> None:
    model = SentimentModel.load(kind_folder(tmp_path, KINDS[0], targets=True), "cpu")
    with pytest.raises(ModelError, match=r"takes 40 of the model's 34 tokens: name it in at most"):
        model.score(["good"], ["phone " * 40])


def test_a_model_that_knows_no_targets_says_so(tmp_path: Path) -> None:
    model = SentimentModel.load(kind_folder(tmp_path, KINDS[0]), "cpu", precision="float32")
    assert not model.knows_targets
    with pytest.raises(ModelError, match=r"not trained to tell the mood about an aspect"):
        model.score(["good"], ["phone"])
    np.testing.assert_array_equal(model.score(["good"], [None]), model.score(["good"]))


@pytest.mark.parametrize("about", ["phone", ["phone"], ["a", "b", "c"]])
def test_aspects_are_one_a_text(tmp_path: Path, about: list[str]) -> None:
    model = SentimentModel.load(kind_folder(tmp_path, KINDS[0], targets=True), "cpu")
    assert model.knows_targets
    with pytest.raises(ValueError, match=r"one aspect \(or None\) a text: 2, not"):
        model.score(["good", "bad"], about)


def test_equal_questions_have_equal_answers_in_their_places(tmp_path: Path) -> None:
    folder = kind_folder(tmp_path, KINDS[0], targets=True)
    model = SentimentModel.load(folder, "cpu", precision="float32")
    texts = ["good phone", "awful", "good  phone", "awful", "good phone"]
    about = ["phone", None, "phone", "phone", None]
    scores = model.score(texts, about)
    assert (scores[0] == scores[2]).all()
    assert np.abs(scores[0] - scores[4]).max() > 0.001
    assert np.abs(scores[1] - scores[3]).max() > 0.001
