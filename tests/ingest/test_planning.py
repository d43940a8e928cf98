from pathlib import Path

import pytest
from landing import orders, write

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest import planned


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for name in ("orders-1.csv", "orders-2.csv.gz", "orders-3.jsonl", "old/orders-4.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, orders({"order_id": name}))
    (folder / "notes.txt").write_text("by hand")
    return folder


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["orders-1.csv", "orders-2.csv.gz", "orders-3.jsonl"]),
        ("orders-1.csv", ["orders-1.csv"]),
        ("orders-*.csv*", ["orders-1.csv", "orders-2.csv.gz"]),
        ("orders-[23].*", ["orders-2.csv.gz", "orders-3.jsonl"]),
        ("orders-?.csv", ["orders-1.csv"]),
        ("*/*.csv", ["orders-4.csv"]),
        ("**/*.csv", ["orders-4.csv", "orders-1.csv"]),
        ("*/../orders-1.csv", ["orders-1.csv"]),
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_source_is_a_file_a_folder_or_a_pattern(
    landing: Path, pattern: str, names: list[str], kind: type
) -> None:
    plan = planned(kind(landing / pattern))
    assert [file.path.name for file in plan.files] == names


def test_a_pattern_may_be_relative(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(landing)
    assert [file.name for file in planned("*.jsonl").files] == ["orders-3.jsonl"]
    assert [file.name for file in planned("old/*").files] == ["orders-4.csv"]


def test_files_of_a_pattern_that_no_feed_takes_are_told(landing: Path) -> None:
    assert planned(f"{landing}/*").ignored == ("notes.txt",)
    with pytest.raises(IngestError, match=r"No feed takes any file of .*\*\.txt"):
        planned(f"{landing}/*.txt")


def test_a_file_whose_name_looks_like_a_pattern_is_itself(landing: Path) -> None:
    path = write(landing / "orders[1].csv", orders({}))
    assert [file.path for file in planned(path).files] == [path]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("orders-9*.csv", r"orders-9\*\.csv matches no file: .*in has none like orders-9"),
        ("none/*.csv", r"matches no file: .*none has none like \*\.csv"),
        ("o**/x", r"is no pattern of files: "),
        ("orders-9.csv", "does not exist"),
    ],
)
def test_a_source_without_files_is_refused(landing: Path, source: str, message: str) -> None:
    with pytest.raises(IngestError, match=message):
        planned(f"{landing}/{source}")
