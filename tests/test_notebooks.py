"""The notebooks: stored clean, nothing defined in them, and they run from top to bottom."""

import ast
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from gpu_pipeline import Lake
from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.ingest import ingest
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps import STEPS
from gpu_pipeline.synthetic import generate

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FIGURE, TABLE = "application/vnd.plotly.v1+json", "text/html"
SECONDS_PER_CELL = 120


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A small shop after a whole run, scored by the bundled model."""
    folder = tmp_path_factory.mktemp("shop")
    generate(folder / "landing", customers=100, days=100, seed=3)
    made = Lake.create(folder / "lake", buckets=2, backend=Backend.choose("cpu"))
    with made.backend.cluster():
        ingest(made, folder / "landing")
        run(made, STEPS, Config.load())
    return made


@pytest.fixture(scope="module")
def executed(shop: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The tour's code cells with what they put out."""
    return run_cells("01_tour.ipynb", shop, tmp_path_factory.mktemp("jupyter"))


@pytest.fixture(scope="module")
def visits(shop: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The same of the notebook on visits."""
    return run_cells("05_visits.ipynb", shop, tmp_path_factory.mktemp("jupyter"))


@pytest.fixture(scope="module")
def segments(shop: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The same of the notebook on segments and value."""
    return run_cells("02_segments.ipynb", shop, tmp_path_factory.mktemp("jupyter"))


@pytest.fixture(scope="module")
def demand(shop: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The same of the notebook on demand."""
    return run_cells("03_demand.ipynb", shop, tmp_path_factory.mktemp("jupyter"))


@pytest.fixture(scope="module")
def voices(shop: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The same of the notebook on what customers say."""
    return run_cells("04_voice_of_customer.ipynb", shop, tmp_path_factory.mktemp("jupyter"))


def run_cells(name: str, lake: Lake, own: Path) -> list[Any]:
    """The notebook's code cells, run on the lake from their own folder."""
    notebook = read(FOLDER / name)
    (parameters,) = [c for c in code(notebook) if "parameters" in c.metadata.get("tags", [])]
    parameters.source = f"lake_path = {str(lake.path)!r}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(own))
        patch.setenv("IPYTHONDIR", str(own / "ipython"))
        NotebookClient(
            notebook,
            km=AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(own / "kernel")),
            timeout=SECONDS_PER_CELL,
            resources={"metadata": {"path": str(FOLDER)}},
        ).execute(cleanup_kc=True)
    return code(notebook)


def outputs(cells: list[Any], kind: str) -> list[Any]:
    found = [output.get("data", {}) for cell in cells for output in cell.outputs]
    return [data[kind] for data in found if kind in data]


def test_the_tour_runs_and_shows_two_pictures_and_its_tables(
    executed: list[Any], shop: Lake
) -> None:
    figures = outputs(executed, FIGURE)
    assert [figure["data"][0]["type"] for figure in figures] == ["scatter", "bar"]
    tables = "".join(outputs(executed, TABLE))
    for shown in (*shop.tables(), "quantity: missing", "negative", "improvement", "naive_error"):
        assert shown in tables
    quiet = [cell.source for cell in executed if not cell.outputs]
    assert [source.split(" = ")[0] for source in quiet] == ["lake_path"]


def test_the_visits_show_three_pictures_and_their_tables(visits: list[Any]) -> None:
    figures = outputs(visits, FIGURE)
    assert [figure["data"][0]["type"] for figure in figures] == ["bar", "scatter", "heatmap"]
    tables = "".join(outputs(visits, TABLE))
    for shown in ("session", "a person", "1d", "share_of_entries", "after_own_views", "co_view"):
        assert shown in tables
    quiet = [cell.source for cell in visits if not cell.outputs]
    assert [source.split(" = ")[0] for source in quiet] == ["lake_path"]


def test_the_segments_show_their_pictures_tables_and_an_export(
    segments: list[Any], shop: Lake
) -> None:
    kinds = [[mark["type"] for mark in figure["data"]] for figure in outputs(segments, FIGURE)]
    # Orders of 100 days are too few to test a value on: the last two say so.
    assert kinds == [["scatter"] * 2, ["scatter"], ["heatmap"], ["sankey"], [], []]
    tables = "".join(outputs(segments, TABLE))
    names = shop.read("segment_profiles").compute()["name"]
    for shown in (*names, "the usual", "not there before", "p_alive", "no consent", "C0000008"):
        assert shown in tables
    quiet = [cell.source for cell in segments if not cell.outputs]
    assert [source.split(" = ")[0] for source in quiet] == ["lake_path"]


def test_demand_shows_a_fan_and_its_tables(demand: list[Any]) -> None:
    (figure,) = outputs(demand, FIGURE)
    assert {"expected", "p10 to p90"} <= {mark["name"] for mark in figure["data"]}
    tables = "".join(outputs(demand, TABLE))
    for shown in ("left out as not seen", "seasonal_naive", "combination", "category=phones"):
        assert shown in tables
    assert "order_quantity" in tables
    quiet = [cell.source for cell in demand if not cell.outputs]
    assert [source.split(" = ")[0] for source in quiet] == ["lake_path"]


def test_the_voices_show_two_pictures_and_their_tables(voices: list[Any], shop: Lake) -> None:
    river, mood = outputs(voices, FIGURE)
    assert [mark["name"] for mark in river["data"]] == ["negative", "neutral", "positive"]
    assert [mark["name"] for mark in mood["data"]] == ["a day's mood", "usual", "smoothed"]
    tables = "".join(outputs(voices, TABLE))
    shown = shop.read("text_aspects").compute()["aspect"].unique()
    for said in (*shown, "battery", "negative", "mentions", "usual_negative_share", "q_value"):
        assert said in tables
    quiet = [cell.source for cell in voices if not cell.outputs]
    assert [source.split(" = ")[0] for source in quiet] == ["lake_path"]


def test_notebooks_warn_of_nothing(
    executed: list[Any],
    visits: list[Any],
    segments: list[Any],
    demand: list[Any],
    voices: list[Any],
) -> None:
    cells = [*executed, *visits, *segments, *demand, *voices]
    assert [output for cell in cells for output in cell.outputs if "name" in output] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs_and_with_clean_metadata(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.outputs for cell in code(notebook) if cell.outputs] == []
    assert {cell.execution_count for cell in code(notebook)} == {None}
    assert reduce(set.union, (set(cell.metadata) for cell in notebook.cells)) <= {"tags"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_imports_and_never_defines(path: Path) -> None:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in code(read(path)):
        defined = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, definitions)]
        assert not defined, cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_cells_of_code_have_words_between_them(path: Path) -> None:
    kinds = [cell.cell_type for cell in read(path).cells]
    assert ("code", "code") not in pairwise(kinds)
