from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import encoder_folder
from tokenizers import Tokenizer
from toy_language import toy_pairs, toy_source

from nlp.training.examples import Examples, Source


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = encoder_folder(tmp_path_factory.mktemp("encoder"))
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def source(texts: list[str], **columns: object) -> Source:
    labels = np.arange(len(texts)) % 3
    return Source(name="mine", texts=texts, labels=labels, **columns)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text("ab @!", min_size=1, max_size=6), min_size=1, max_size=40), st.integers(0, 9)
)
def test_copies_of_a_text_are_on_one_side_of_a_split(texts: list[str], seed: int) -> None:
    held, rest = source(texts).split(0.5, seed)
    if held is None:
        assert list(rest.texts) == texts
        return
    assert len(held.texts) + len(rest.texts) == len(texts)
    assert not {*held.copy_keys()} & {*rest.copy_keys()}


def test_versions_of_a_text_are_on_one_side_and_stay_there_as_the_source_grows() -> None:
    texts = [f"text {i}" for i in range(400)]
    groups = [str(i // 4) for i in range(400)]
    held, rest = source(texts, groups=groups).split(0.2, 1)
    assert held is not None
    assert not {*(held.groups or [])} & {*(rest.groups or [])}
    assert 0.1 < len(held.texts) / 400 < 0.3
    grown, _ = source([*texts, "new"], groups=[*groups, "new"]).split(0.2, 1)
    assert grown is not None
    assert {*held.texts} == {*grown.texts} - {"new"}


def test_copies_differ_in_handles_links_case_and_marks_alone() -> None:
    keys = source(
        ["@bob LOVE it!!! https://t.co/x", "love it", "Love, it. @ann", "love that", "!!!"]
    ).copy_keys()
    assert keys[0] == keys[1] == keys[2] == "love it"
    assert keys[3:] == ["love that", "!!!"]


def test_texts_whose_copies_are_measured_on_are_left_out() -> None:
    kept = source(["good", "Bad!", "okay"]).without(frozenset({"bad"}))
    assert kept.texts == ["good", "okay"]
    assert kept.labels.tolist() == [0, 2]


def test_an_epoch_sees_one_version_of_a_text_and_of_a_source_its_share(
    tokenizer: Tokenizer,
) -> None:
    many = toy_source(100)
    words = ("bad", "good", "okay", "very", "was", "my")
    versions = source([f"the phone {w}" for w in words], groups=list("aaabbb"))
    half = Source(name="half", texts=many.texts, labels=many.labels, shares=(0.5,))
    examples = Examples.of([versions, half], tokenizer, 32)
    seen = [examples.drawn(np.random.default_rng(seed)) for seed in range(20)]
    for rows in seen:
        assert len({*rows.tolist()}) == len(rows)
        of_versions = rows[examples.source[rows] == 0]
        assert len(of_versions) == 2
        assert sorted({*examples.group[of_versions].tolist()}) == [0, 1]
        assert (examples.source[rows] == 1).sum() == round(0.5 * (examples.source == 1).sum())
    assert len({tuple(sorted(rows.tolist())) for rows in seen}) > 10


def test_each_member_has_a_diet_of_its_own(tokenizer: Tokenizer) -> None:
    sources = [
        replace(toy_source(100), shares=(1.0, 0.0)),
        replace(toy_source(80, seed=5), shares=(0.5, 1.0)),
    ]
    examples = Examples.of(sources, tokenizer, 32)
    whole = np.bincount(examples.source)
    for member, shares in enumerate([(1.0, 0.5), (0.0, 1.0), (1.0, 0.5)]):
        rows = examples.drawn(np.random.default_rng(0), member)
        seen = np.bincount(examples.source[rows], minlength=2)
        assert seen.tolist() == [round(s * n) for s, n in zip(shares, whole, strict=True)]


def test_batches_hold_an_epoch_once_in_texts_of_like_length(tokenizer: Tokenizer) -> None:
    texts = [" ".join(["phone"] * (1 + i % 20)) + f" no{i}" for i in range(300)]
    examples = Examples.of([source(texts)], tokenizer, 32)
    batches = list(examples.batches(8, np.random.default_rng(0)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(examples)))
    widths = [[len(examples.ids[i]) for i in rows] for rows in batches]
    spread = np.mean([max(w) - min(w) for w in widths])
    assert spread < 2  # of 19, drawn at random


def test_a_long_text_keeps_its_beginning_its_end_and_what_is_asked(tokenizer: Tokenizer) -> None:
    words = ["bad", *["phone"] * 40, "good"]
    [long] = Examples.of([source([" ".join(words)])], tokenizer, 12).ids
    bare = tokenizer.encode("bad phone good").ids
    assert len(long) == 12
    assert (long[:3], long[-2:]) == (bare[:3], bare[-2:])
    asked = Examples.of([source([" ".join(words)], about=["phone"])], tokenizer, 12)
    [ids], [second] = asked.ids, asked.second
    pair = tokenizer.encode("bad good", "phone")
    assert len(ids) == 12
    assert ids[second:] == [pair.ids[i] for i, kind in enumerate(pair.type_ids) if kind]


def test_the_second_segment_begins_after_the_first(tokenizer: Tokenizer) -> None:
    pairs = toy_pairs(10)
    examples = Examples.of([pairs], tokenizer, 32)
    first = tokenizer.encode(pairs.texts[0], (pairs.about or [""])[0])
    assert examples.ids[0] == first.ids
    assert examples.second[0] == first.type_ids.index(1)


def test_classes_of_a_source_count_alike(tokenizer: Tokenizer) -> None:
    texts = [f"phone {' '.join(['very'] * i)}" for i in range(12)]
    labels = np.array([0] * 3 + [2] * 9)
    examples = Examples.of([Source(name="two", texts=texts, labels=labels)], tokenizer, 32)
    sums = [float(examples.weights[examples.labels == label].sum()) for label in (0, 2)]
    assert sums[0] == pytest.approx(sums[1]) == pytest.approx(6.0)
