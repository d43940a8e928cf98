"""No identifier that the synthetic shop plants, nor any of ours, is left in a whole lake.

Every file is looked through byte by byte, and every value that Parquet pages, the snapshot and
the log hold is decoded first.
"""

import gzip
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from planted import SHOWN, STRUCTURED, Planted, planted
from tiny_model import classifier_folder

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.governance import rotate_key
from gpu_pipeline.ingest import ingest
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import generate

# Each source with a text: a row that its contract takes, and what it will not have there.
TEXT_SOURCES: Mapping[str, tuple[dict[str, str], dict[str, str]]] = {
    "reviews": ({"review_id": "r", "rating": "4"}, {"rating": "9"}),
    "feedback": ({"feedback_id": "f", "score": "4"}, {"score": "lots"}),
    "social": ({"post_id": "p"}, {"created_at": "yesterday"}),
    "support": ({"message_id": "m", "case_id": "c-1", "status": "open"}, {"sent_at": "never"}),
}
MOMENT = "2026-06-01T10:00:00"


def rows_of(source: str, ones: list[Planted]) -> pd.DataFrame:
    """Of each text an accepted and a rejected row, of a person who is called what stands in it."""
    taken, refused = TEXT_SOURCES[source]
    key = next(iter(taken))
    times = {"created_at": MOMENT, "opened_at": MOMENT, "sent_at": MOMENT, "product_id": "P-1"}
    rows = []
    for number, one in enumerate(ones):
        row = {**times, **taken, "customer_id": f"raw-person-{number}", "text": one.text}
        rows.append({**row, key: f"own-{number}"})
        rows.append({**row, **refused, key: f"own-refused-{number}"})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def ours() -> list[Planted]:
    """Some identifiers of each kind that has a form of its own."""
    return [one for kind in STRUCTURED for one in planted(kind, 25, seed=11)]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory, ours: list[Planted]) -> Path:
    """The shop's files, with damage of every kind, and files with our own texts."""
    folder = tmp_path_factory.mktemp("landing")
    generate(folder / "shop", customers=100, days=28, seed=5, damage=0.03)
    (folder / "own").mkdir()
    for source in TEXT_SOURCES:
        rows_of(source, ours).to_csv(folder / "own" / f"{source}-own.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, backend: Backend, landing: Path) -> Lake:
    """All of it loaded, worked through and published, and the keys rotated."""
    folder = tmp_path_factory.mktemp("left")
    lake = Lake.create(folder / "lake", buckets=2, backend=backend)
    model = classifier_folder(folder / "model")
    with backend.cluster():
        for source in (landing / "shop", landing / "own"):
            ingest(lake, source)
        run(lake, STEPS, Config.load(segments=3, horizon=7, text_model=model))
    rotate_key(lake.path, backend=backend)
    return Lake(lake.path, backend=backend)


def secrets(landing: Path, ours: list[Planted]) -> set[str]:
    """Every identifier that was planted, and every raw id of a person."""
    truth = landing / "shop" / "truth"
    values = pd.read_parquet(truth / "identifiers.parquet")["value"]
    customers = pd.read_parquet(truth / "customers.parquet")["customer_id"]
    visitors = pd.concat(
        pd.read_parquet(path, columns=["visitor_id"])["visitor_id"]
        for path in sorted((landing / "shop").glob("clickstream*.parquet"))
    ).dropna()
    persons = {f"raw-person-{number}" for number in range(len(ours))}
    found = {*values.dropna(), *customers, *visitors, *persons, *(one.identifier for one in ours)}
    return {str(one).strip() for one in found if len(str(one).strip()) >= 6}


def decoded(path: Path) -> Iterator[str]:
    """All that a file says: its bytes, and the values that are packed into them."""
    yield path.read_bytes().decode("latin-1")
    if path.suffix == ".parquet":
        yield pq.ParquetFile(path).read().to_pandas().to_csv()
    elif path.suffix == ".sqlite":
        database = sqlite3.connect(path)
        yield "\n".join(database.iterdump())
        database.close()
    elif path.suffix == ".json":
        yield path.read_text("utf-8")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def test_what_is_looked_for_was_in_the_files_that_were_loaded(
    landing: Path, ours: list[Planted]
) -> None:
    texts = []
    for path in files(landing):
        if "truth" not in path.parts:
            texts += decoded(path)
            if path.suffix == ".gz":
                texts.append(gzip.decompress(path.read_bytes()).decode("utf-8", "replace"))
            elif path.suffix != ".parquet":
                texts.append(path.read_text("utf-8", errors="replace"))
    whole = "\n".join(texts)
    known = secrets(landing, ours)
    assert len(known) > 500
    missing = {one for one in known if one not in whole and json.dumps(one)[1:-1] not in whole}
    assert len(missing) <= 0.02 * len(known), sorted(missing)[:9]  # some repeats were dropped


def test_none_of_it_is_in_any_byte_or_value_of_the_lake(
    lake: Lake, landing: Path, ours: list[Planted]
) -> None:
    known = secrets(landing, ours)
    assert {path.suffix for path in files(lake.path)} >= {".parquet", ".json", ".sqlite"}
    left = {
        (one, path.relative_to(lake.path).as_posix())
        for path in files(lake.path)
        for text in decoded(path)
        for one in known
        if one in text
    }
    assert not left, sorted(left)[:9]


@pytest.mark.parametrize("source", TEXT_SOURCES)
def test_the_texts_are_there_without_them(lake: Lake, source: str, ours: list[Planted]) -> None:
    wanted = {one.wanted for one in ours}
    kept = set(lake.read(source).compute()["text"])
    shown = [
        json.loads(text).get("text", "")
        for text in lake.read(f"{source}_rejected").compute()["row_values"]
        if text.startswith("{")
    ]
    assert len(wanted & kept) >= 0.95 * len(wanted)  # all but those whose fringe is trimmed
    assert len(wanted & set(shown)) >= 0.95 * len(wanted)
    for kind in STRUCTURED:
        assert any(SHOWN[kind] in text for text in kept)
