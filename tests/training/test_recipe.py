from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from real_data import real_data

from gpu_pipeline.errors import IngestError
from gpu_pipeline.text_training.labelled import label_codes
from gpu_pipeline.text_training.recipe import Recipe, SourceFile

TWEETS = {
    "name": "tweets",
    "licence": "CC0-1.0",
    "file": "tweets.csv",
    "text": "said",
    "label": "mood",
    "labels": {"bad": "negative", "fine": "neutral", "good": "positive"},
}


def source(**changes: object) -> SourceFile:
    return SourceFile.model_validate({**TWEETS, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pd.DataFrame(
        {
            "said": ["love it", "hate it", "it is", "what", None],
            "mood": ["good", "bad", "fine", "unclear", "good"],
            "thing": ["phone", "phone", None, "box", "box"],
            "stars": [5, 1, 3, 2, 4],
            "shop": ["a", "b", "a", "b", "a"],
        }
    ).to_csv(tmp_path / "tweets.csv", index=False)
    return tmp_path


def test_rows_with_a_text_and_a_label_of_the_recipe_are_read(folder: Path) -> None:
    found = source().read(folder, seed=0)
    assert list(found.texts) == ["love it", "hate it", "it is"]
    assert found.labels.tolist() == [2, 0, 1]
    assert found.about is found.groups is None


def test_stars_become_labels_by_bands(folder: Path) -> None:
    found = source(label="stars", labels={}, bands=(2, 4)).read(folder, seed=0)
    assert dict(zip(found.texts, found.labels.tolist(), strict=True)) == {
        "love it": 2, "hate it": 0, "it is": 1, "what": 0,
    }  # fmt: skip
    codes = label_codes(pd.Series([None, -1.0, 2.0, 2.1, 4.0, "x"]), {}, (2, 4))
    assert codes.tolist() == [-1, 0, 0, 1, 2, -1]


def test_rows_are_chosen_by_the_value_of_a_column(folder: Path) -> None:
    assert list(source(where={"shop": "b"}).read(folder, seed=0).texts) == ["hate it"]
    assert list(source(where_not={"shop": "b"}).read(folder, seed=0).texts) == ["love it", "it is"]


def test_a_text_may_be_made_of_several_columns(folder: Path) -> None:
    assert source(text=("shop", "said")).read(folder, seed=0).texts[0] == "a. love it"


def test_a_share_is_one_number_or_one_for_each_member(folder: Path) -> None:
    assert source().read(folder, seed=0).shares == (1.0,)
    assert source(share=0.5).read(folder, seed=0).shares == (0.5,)
    assert source(share=[1, 0]).read(folder, seed=0).shares == (1.0, 0.0)


def test_planted_sentences_need_no_file(tmp_path: Path) -> None:
    found = SourceFile(name="p", licence="Apache-2.0", planted=50).read(tmp_path, seed=3)
    assert len(found.texts) == 50
    assert found.about is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": ""}, "tweets: give file, text and label, or planted"),
        ({"bands": (1, 2)}, "tweets: give labels or bands"),
        ({"labels": {}}, "tweets: give labels or bands"),
        ({"share": [0, 0]}, "tweets: no member sees any of it"),
        ({"share": [0.5, 1.5]}, "less than or equal to 1"),
        ({"labels": {"bad": "sad"}}, "negative"),
        ({"licens": "x"}, "licens"),
    ],
)
def test_a_recipe_that_says_something_else_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"sources": [{**TWEETS, **changes}]}))
    with pytest.raises(IngestError, match=message):
        Recipe.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "none.csv"}, "none.csv"),
        ({"label": "tone"}, "has no column 'tone'; it has said, mood"),
        ({"labels": {"sad": "negative"}}, "no row of tweets has a label of the recipe"),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(IngestError, match=message):
        source(**changes).read(folder, seed=0)


def test_what_is_measured_on_is_not_learnt_nor_are_copies_of_it(tmp_path: Path) -> None:
    texts = [f"number {i} is here" for i in range(200)]
    moods = np.resize(["bad", "fine", "good"], 200)
    pd.DataFrame({"said": texts, "mood": moods}).to_csv(tmp_path / "tweets.csv", index=False)
    copies = [text.upper() + " @someone http://x.y" for text in texts[:20]]
    pd.DataFrame({"said": copies, "mood": moods[:20]}).to_csv(tmp_path / "other.csv", index=False)
    recipe = Recipe(
        sources=(source(hold_out=0.1),), measured_on=(source(name="other", file="other.csv"),)
    )
    found = recipe.read(tmp_path, seed=0)
    [learnt], [held], [measured] = found.learnt, found.held_out, found.measured
    assert len(measured.texts) == 20
    assert 5 < len(held.texts) < 40
    keys = {*learnt.copy_keys()}
    assert not keys & {*held.copy_keys()}
    assert not keys & {*measured.copy_keys()}
    assert len(keys | {*held.copy_keys()} | {*measured.copy_keys()}) == 200


def test_the_bundled_recipe_names_terms_and_some_sources_allow_any_use() -> None:
    recipe = Recipe.load()
    assert all(source.licence for source in (*recipe.sources, *recipe.measured_on))
    free = recipe.permissive().sources
    assert {source.licence for source in free} <= {"CC0-1.0", "MIT", "Apache-2.0"}
    assert len(free) < len(recipe.sources)


def test_every_file_of_the_bundled_recipe_has_what_it_says() -> None:
    recipe = Recipe.load()
    folder = real_data("text/tweeteval_sentiment_val.parquet").parent
    for each in (*recipe.sources, *recipe.measured_on):
        found = each.read(folder, seed=0)
        assert len(found.texts) > 1000
        assert len({*found.labels.tolist()}) >= 2
