"""What SQL finds in a shop's lake is what Dask frames find there, to the row."""

import re
from pathlib import Path

import pytest
from frames import assert_frames_equal
from retail_answers import ANSWERS

from gpu_pipeline.backend import Backend
from gpu_pipeline.ingest import ingest
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import FILES, generate

SOURCE = (Path(__file__).parent / "oracle" / "retail_queries.sql").read_text()
QUERIES = dict(re.findall(r"^-- name: (\w+)\n(.*?;)$", SOURCE, flags=re.MULTILINE | re.DOTALL))
UNASKED = ("feedback", "fx_rates", "social")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Sixty days of 150 customers, damage included, in two buckets."""
    folder = tmp_path_factory.mktemp("shop")
    generate(folder / "landing", customers=150, days=60, seed=11)
    for source in UNASKED:
        (folder / "landing" / FILES[source]).unlink()
    lake = Lake.create(folder / "lake", buckets=2, backend=Backend.choose("cpu"))
    with lake.backend.cluster():
        ingest(lake, folder / "landing")
    return lake


def test_every_query_has_an_answer_and_no_answer_lacks_its_query() -> None:
    assert list(QUERIES) == list(ANSWERS)
    assert len(QUERIES) == SOURCE.count("-- name:") >= 25


@pytest.mark.parametrize("name", ANSWERS)
def test_sql_and_frames_agree(shop: Lake, name: str) -> None:
    with shop.backend.cluster():
        by_frames = ANSWERS[name](shop)
    by_sql = shop.sql(QUERIES[name])
    assert len(by_sql) > 0
    assert_frames_equal(by_sql, by_frames, rtol=1e-9)
