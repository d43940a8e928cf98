import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_model import LABELS, classifier_folder

import nlp
import nlp.model.folders
from nlp import ModelError, SentimentModel
from nlp.model import BUNDLED, version_of
from nlp.model.weights import restored as restored_weights

THINGS = ["phone", "laptop", "headset", "console", "charger", "screen", "app", "delivery"]
SAYINGS = [
    "I love this {}, it is wonderful!",
    "The {} broke after two days. Awful.",
    "The {} is black and weighs 200 grams.",
    "Best {} I ever had",
    "never buying a {} here again, what a waste of money",
    "Does the {} come with a cable?",
    "the {} is okay, nothing special",
    "Not bad at all, this {}",
    "@shop where is my {}??? https://t.co/abc",
    "My {} arrived on Tuesday.",
    "worst {} ever &amp; support is rude",
    "Really happy with the {} and the price",
    "{}",
    "I returned the {} because it was too small",
    "So so. The {} works, the manual does not.",
    "Thanks for the quick help with my {} :)",
    "I can't believe how good this {} is",
    "The {} is not what I expected, disappointed",
    "It is a {} for kids",
    "My sister bought the same {} last year",
    "Great, another {} that dies at 30 percent",
    "the {} update ruined everything",
    "Would buy the {} again in a heartbeat",
    "Ordered a {} and a case",
    "Five stars for the {}",
]
TEXTS = [saying.format(thing) for saying, thing in product(SAYINGS, THINGS)]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small models are slower on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model(bundled: SentimentModel) -> SentimentModel:
    return bundled


@pytest.fixture(scope="module")
def rough() -> SentimentModel:
    """The bundled model in bfloat16."""
    return SentimentModel.load(device="cpu", precision="bfloat16")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SentimentModel:
    folder = classifier_folder(tmp_path_factory.mktemp("tiny"))
    return SentimentModel.load(folder, "cpu", precision="float32")


def says(model: SentimentModel, text: str) -> str:
    return model.labels[model.score([text])[0].argmax()]


def test_scores_are_probabilities_one_row_a_text(model: SentimentModel) -> None:
    scores = model.score(TEXTS[:20])
    assert (scores.shape, scores.dtype) == ((20, 3), np.float32)
    assert model.labels == LABELS
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert (scores >= 0).all()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love it, best phone I ever had!", "positive"),
        ("What a wonderful phone!", "positive"),
        ("Terrible. It broke after a day and support was rude.", "negative"),
        ("This is the worst laptop I have ever bought.", "negative"),
        ("The parcel arrived on Tuesday.", "neutral"),
        ("Does it come with a charger?", "neutral"),
    ],
)
def test_obvious_texts_are_understood(model: SentimentModel, text: str, label: str) -> None:
    assert says(model, text) == label


def test_no_texts_give_no_rows(model: SentimentModel) -> None:
    assert (model.score([]).shape, model.score([]).dtype) == ((0, 3), np.float32)


def test_nothing_said_is_an_empty_text_and_nearest_to_neutral(model: SentimentModel) -> None:
    scores = model.score([None, "", " \x00\n"])
    assert (scores == scores[0]).all()
    assert scores[0].argmax() == 1


def test_the_order_is_kept_equal_texts_are_equal_and_repeating_repeats(
    model: SentimentModel,
) -> None:
    some = [*TEXTS[::9], *TEXTS[::-9], "I  love\n it", "I love it", *TEXTS[::9]]
    scores = model.score(some)
    by_text = dict(zip(some, scores, strict=True))
    assert all((row == by_text[text]).all() for text, row in zip(some, scores, strict=True))
    assert (by_text["I  love\n it"] == by_text["I love it"]).all()
    assert (model.score(some) == scores).all()
    np.testing.assert_allclose(model.score(some[::-1])[::-1], scores, atol=1e-4)


def test_who_else_is_in_the_batch_does_not_matter(model: SentimentModel) -> None:
    some = [*TEXTS[::11], "word " * 600, ""]
    alone = np.concatenate([model.score([text]) for text in some])
    np.testing.assert_allclose(model.score(some), alone, atol=1e-4)


def test_a_long_text_is_read_to_its_end(model: SentimentModel) -> None:
    # 5,000 words, of which the last dozen judge.
    long = "The device has a screen and a button and a case. " * 500
    ends = ("", "I love it, it is the best phone I ever had!", "I hate it, the worst I ever had!")
    assert model.score([long + end for end in ends]).argmax(axis=1).tolist() == [1, 2, 0]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.one_of(st.none(), st.text()), max_size=6))
def test_any_text_has_a_score(tiny: SentimentModel, texts: list[str | None]) -> None:
    scores = tiny.score(texts)
    assert scores.shape == (len(texts), 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 200), min_size=1, max_size=30))
def test_texts_of_any_length_are_scored_as_each_would_be_alone(
    tiny: SentimentModel, lengths: list[int]
) -> None:
    words = ["good", "the", "awful", "phone", "okay"]
    texts = [" ".join(words[(i + n) % 5] for n in range(size)) for i, size in enumerate(lengths)]
    alone = np.concatenate([tiny.score([text]) for text in texts])
    np.testing.assert_allclose(tiny.score(texts), alone, atol=1e-4)


def test_halves_of_surrogate_pairs_are_no_fault(model: SentimentModel) -> None:
    np.testing.assert_array_equal(model.score(["good \ud83d phone"]), model.score(["good phone"]))


def test_bfloat16_says_what_float32_says(model: SentimentModel, rough: SentimentModel) -> None:
    exact, found = model.score(TEXTS), rough.score(TEXTS)
    assert len(exact) == 200
    assert np.abs(exact - found).max() < 0.03
    flipped = exact.argmax(axis=1) != found.argmax(axis=1)
    top, second = np.sort(exact, axis=1)[:, :-3:-1].T
    assert (top - second)[flipped].max(initial=0) < 0.05


def test_in_bfloat16_company_changes_hardly_anything(rough: SentimentModel) -> None:
    some = [*TEXTS[::9], "word " * 600, ""]
    together = rough.score(some)
    alone = np.concatenate([rough.score([text]) for text in some])
    assert np.abs(together - alone).max() < 0.03
    flipped = together.argmax(axis=1) != alone.argmax(axis=1)
    top, second = np.sort(alone, axis=1)[:, :-3:-1].T
    assert (top - second)[flipped].max(initial=0) < 0.05


def test_the_temperature_of_the_card_softens_the_odds(tiny: SentimentModel) -> None:
    cooled = SentimentModel(tiny.module, tiny.tokenizer, card={"temperature": 2.0})
    once, twice = tiny.score(["good phone"]), cooled.score(["good phone"])
    softer = np.sqrt(once.astype(np.float64))
    np.testing.assert_allclose(twice, softer / softer.sum(), rtol=1e-4)


def test_a_device_that_is_not_there_is_refused_and_auto_does_without() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ModelError, match=r"No CUDA device .* device='cpu'"):
        SentimentModel.load(device="cuda")
    assert SentimentModel.load(device="auto").device == "cpu"


def test_the_version_names_the_weights_and_is_known_without_loading(
    model: SentimentModel, tiny: SentimentModel
) -> None:
    assert model.version == version_of()
    assert len({model.version, tiny.version, "unsaved"}) == 3
    with pytest.raises(ModelError, match=r"nowhere/model.safetensors is missing: give the folder"):
        version_of("nowhere")


def test_loading_and_scoring_say_nothing_and_touch_no_network() -> None:
    code = (
        "import socket, sys, warnings; warnings.simplefilter('error')\n"
        "def refused(*_): raise OSError('no network')\n"
        "socket.socket.connect = refused\n"
        "from nlp import SentimentModel\n"
        "assert SentimentModel.load(device='cpu').score(['good'])[0].argmax() == 2"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What may be wrong with a folder.


def replaced(name: str, content: str | bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)

    return spoil


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def without_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.bias"]
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "No model in .*: config.json is missing. Give a folder with config.json"),
        (removed("config.json"), "No model in .*: config.json is missing"),
        (removed("tokenizer.json"), "tokenizer.json is missing: save the model with its fast"),
        (removed("model.safetensors"), "model.safetensors is missing"),
        (pickled, "model.safetensors is missing: .* Pickled ones are not read"),
        (without_a_layer, r"model.safetensors doesn't fit .*config.json: .*classifier.bias"),
        (replaced("model.safetensors", b"\x08"), "model.safetensors doesn't fit"),
        (replaced("config.json", "{"), "config.json is no text classifier's"),
        (replaced("config.json", '{"model_type": "none"}'), "config.json is no text classifier's"),
        (replaced("tokenizer.json", "{"), "tokenizer.json can't be read"),
        (replaced("card.json", "{"), "card.json is not JSON"),
        (replaced("card.json", '{"files": {"vocab": "0a"}}'), "vocab is missing: restore it"),
    ],
)
def test_a_folder_that_is_no_model_is_one_clear_error(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    folder = classifier_folder(tmp_path / "model")
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        SentimentModel.load(folder)


def test_code_in_a_folder_is_not_run(tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path / "model")
    (folder / "own.py").write_text("raise SystemExit('run')")
    config = json.loads((folder / "config.json").read_text())
    auto_map = {"AutoConfig": "own.Config", "AutoModelForSequenceClassification": "own.Model"}
    replaced("config.json", json.dumps(config | {"model_type": "own", "auto_map": auto_map}))(
        folder
    )
    with pytest.raises(ModelError, match=r"config.json is no text classifier's"):
        SentimentModel.load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_file_that_is_not_the_cards_is_refused(
    tmp_path: Path, tiny: SentimentModel, name: str
) -> None:
    tiny.save(tmp_path)
    with (tmp_path / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match=f"{name} was altered: its sha256 is not the card's"):
        SentimentModel.load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "card.json"])
def test_the_bundled_model_is_refused_when_altered_or_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(BUNDLED, tmp_path / "weights")
    monkeypatch.setattr(nlp.model.folders, "BUNDLED", tmp_path / "weights")
    path = tmp_path / "weights" / name
    whole = path.read_bytes()
    # One bit in the middle.
    path.write_bytes(whole[:600] + bytes([whole[600] ^ 1]) + whole[601:])
    with pytest.raises(ModelError, match=f"{name} was altered"):
        SentimentModel.load()
    path.unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        SentimentModel.load()


def test_unknown_labels_are_named_with_the_remedy(tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path, labels=("negative", "spam", "LABEL_2"))
    message = r"labels \['spam', 'label_2'\] are none of .* rename them .* under id2label"
    with pytest.raises(ModelError, match=message):
        SentimentModel.load(folder)


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (("negative", "neutral", "positive"), [0, 1, 2]),
        (("POS", "NEU", "NEG"), [2, 1, 0]),
        (("LABEL_0", "LABEL_1", "LABEL_2"), [0, 1, 2]),
        (("1 star", "2 stars", "3 stars", "4 stars", "5 stars"), [0, 0, 1, 2, 2]),
        (("NEGATIVE", "POSITIVE"), [0, 2]),
    ],
)
def test_classes_count_for_the_label_that_they_mean(
    tmp_path: Path, labels: tuple[str, ...], columns: list[int]
) -> None:
    folder = classifier_folder(tmp_path, labels=labels)
    model = SentimentModel.load(folder, "cpu", precision="float32")
    scores = model.score(["good phone"])[0]
    ids = torch.tensor([model.tokenizer.encode("good phone").ids])
    with torch.inference_mode():
        odds = model.module(input_ids=ids).logits[0].float().softmax(0).numpy()
    wanted = np.zeros(3)
    np.add.at(wanted, columns, odds)
    np.testing.assert_allclose(scores, wanted, atol=1e-5)


def test_a_file_that_also_numbers_the_positions_is_loaded(tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path)
    before = SentimentModel.load(folder, precision="float32").score(["good phone"])
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.position_ids"] = torch.arange(34)[None]
    save_file(weights, folder / "model.safetensors")
    after = SentimentModel.load(folder, precision="float32").score(["good phone"])
    np.testing.assert_array_equal(before, after)


def test_saving_and_loading_keeps_the_scores_but_for_int8(tmp_path: Path) -> None:
    texts = ["good phone", "the phone is awful", "okay", "", "my " * 100]
    first = SentimentModel.load(classifier_folder(tmp_path / "a"), precision="float32")
    first.save(tmp_path / "b", trained_on="nothing")
    second = SentimentModel.load(tmp_path / "b", precision="float32")
    assert {path.name for path in (tmp_path / "b").iterdir()} == {
        "card.json",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert second.card["trained_on"] == "nothing"
    assert second.version == first.version == version_of(tmp_path / "b")
    np.testing.assert_allclose(second.score(texts), first.score(texts), atol=0.05)
    # What was rounded once is not rounded again.
    second.save(tmp_path / "c")
    third = SentimentModel.load(tmp_path / "c", precision="float32")
    np.testing.assert_allclose(third.score(texts), second.score(texts), atol=1e-6)


def test_matrices_are_stored_in_a_byte_a_weight(tmp_path: Path, tiny: SentimentModel) -> None:
    tiny.save(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    restored: dict[str, Any] = restored_weights(stored)
    for name, wanted in tiny.module.state_dict().items():
        assert (stored[name].dtype == torch.int8) == (wanted.ndim == 2)
        # Half a step of the row's scale is all that rounding can cost.
        step = wanted.float().abs().amax(dim=-1, keepdim=True) / 127
        assert bool(((restored[name] - wanted.float()).abs() <= step / 2 + 1e-6).all())


@pytest.mark.parametrize(
    ("texts", "says"), [("one text", "list of texts"), ([1], "not int"), (["a", b"b"], "not bytes")]
)
def test_what_is_no_list_of_texts_is_refused(
    tiny: SentimentModel, texts: object, says: str
) -> None:
    with pytest.raises(TypeError, match=says):
        tiny.score(texts)  # type: ignore[arg-type]


def test_a_missing_text_of_a_frame_is_an_empty_one(tiny: SentimentModel) -> None:
    scores = tiny.score([float("nan"), None, ""])  # type: ignore[list-item]
    assert (scores == scores[0]).all()
