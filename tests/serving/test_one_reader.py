"""A text has the same scores wherever it is read: in a file, in the step, over the API."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from lakes import rows
from starlette.testclient import TestClient
from tiny_shop import land, text

from gpu_pipeline.config import Config
from gpu_pipeline.pipeline import run
from gpu_pipeline.scoring import score_file
from gpu_pipeline.steps.texts import SENTIMENT
from gpu_pipeline.store import Lake
from nlp.reading import Reader

SCORES = ["negative", "neutral", "positive"]
FACTS = ["certain", "language", "unscored"]
ENDINGS = (
    *("is great", "is awful", "is fine, and then it broke " * 30, "👍 :)", "arrived /s"),
    *("kam erst nach drei Wochen hier an und ist kaputt", "😡😡😡"),
)
TEXTS = [f"phone {i} {ENDINGS[i % len(ENDINGS)]}".strip() for i in range(48)] + ["@bob", "ok"]


def in_a_file(model: Path, folder: Path) -> pd.DataFrame:
    source, output = folder / "in.csv", folder / "out.parquet"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([["body"], *([one] for one in TEXTS)])
    score_file(source, "body", output, model=model)
    return pq.read_table(output).to_pandas()


def in_the_step(lake: Lake, config: Config, folder: Path) -> pd.DataFrame:
    written = [text("reviews", i, i % 9, f"c{i}", "lamp", said) for i, said in enumerate(TEXTS)]
    land(lake, {"reviews": written}, folder=folder / "landing")
    with lake.backend.cluster():
        run(lake, [SENTIMENT], config)
    found = rows(lake, "text_sentiment").set_index("text_id")
    return found.loc[[f"reviews{i}" for i in range(len(TEXTS))]].reset_index()


def test_a_file_the_step_and_the_api_say_the_same(
    lake: Lake, config: Config, client: TestClient, model_folder: Path, tmp_path: Path
) -> None:
    answer = client.post("/v1/sentiment", json={"texts": TEXTS})
    served = pd.DataFrame(answer.json()["data"])
    read = pd.DataFrame(Reader.load(model_folder, "cpu").read(TEXTS))
    assert set(read["unscored"].dropna()) == {"language", "empty"}
    assert set(read["label"].dropna()) >= {"negative", "positive"}
    stored, filed = in_the_step(lake, config, tmp_path), in_a_file(model_folder, tmp_path)
    for found, facts in ((served, FACTS), (stored, FACTS), (filed, FACTS[:2])):
        # In bfloat16 the company of other texts moves a score a little.
        np.testing.assert_allclose(found[SCORES].astype(float), read[SCORES], atol=0.03)
        for name in facts:
            assert found[name].fillna("").tolist() == read[name].fillna("").tolist(), name
