"""The command line as a user types it: what it prints, writes and exits with."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from commands import commands

from gpu_pipeline.steps import STEPS


class Answer(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what is wrong; whatever else there is fails the test."""
        lines = [line for line in self.err.splitlines() if not line.startswith('{"at_seconds"')]
        assert len(lines) == 1, self.err
        return lines[0]


Command = Callable[..., Answer]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    call = commands(monkeypatch, capsys)
    return lambda *words: Answer(*call(*words))


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_whole_path_from_made_files_to_answers(command: Command, tmp_path: Path) -> None:
    landing, lake = tmp_path / "landing", tmp_path / "shop"
    assert command("generate", landing, "--customers", 150, "--days", 60, "--seed", 3).code == 0

    loaded = json.loads(command("ingest", landing, "--lake", lake, "--json").out)
    assert {file["contract"] for file in loaded["files"]} >= {"orders", "reviews", "inventory"}
    for file in loaded["files"]:
        assert file["rows"] == file["accepted"] + file["rejected"] + file["duplicates"]
    again = json.loads(command("ingest", landing, "--lake", lake, "--json").out)
    assert all(file["loaded_before"] for file in again["files"])

    planned = command("run", "--lake", lake, "--dry-run", "--json")
    assert {step["status"] for step in json.loads(planned.out)["steps"]} <= {
        "would run",
        "nothing to read",
    }
    ran = json.loads(command("run", "--lake", lake, "--json").out)
    assert [step["status"] for step in ran["steps"]] == ["done"] * len(STEPS)
    repeated = command("run", "--lake", lake)
    assert repeated.out.count("up to date") == len(STEPS)

    shown = command("answers", "--lake", lake).out
    for heading in ("Customer segments", "Best sellers", "What people say", "Rejected"):
        assert heading in shown
    tables = json.loads(command("status", "--lake", lake, "--json").out)["tables"]
    assert {"orders", "customer_segments", "text_sentiment"} <= {t["table"] for t in tables}
    assert "customer_features" in command("status", "--lake", lake).out
    versions = json.loads(command("history", "customer_segments", "--lake", lake, "--json").out)
    assert versions[0]["run"] == ran["run_id"]
    page = tmp_path / "page.html"
    assert command("report", page, "--lake", lake).code == 0
    assert "<html" in page.read_text()[:200]


def test_a_dry_run_changes_nothing(command: Command, tmp_path: Path) -> None:
    landing, lake = tmp_path / "landing", tmp_path / "shop"
    command("generate", landing, "--customers", 100, "--days", 28)
    command("ingest", landing / "orders.csv.gz", "--lake", lake)
    before = _tree(lake)
    assert command("run", "--lake", lake, "--dry-run").code == 0
    assert _tree(lake) == before


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("orders.csv", b"", "empty"),
        ("orders.csv", b"order_id,quantity\n1,2\n", "needs"),
        ("fx_rates.csv.gz", gzip.compress(b"currency,day,rate\n" * 999)[:-20], "can't be read"),
        ("orders.parquet", b"PAR1 not really", "can't be read"),
        ("elephants.csv", b"a,b\n1,2\n", "No feed takes"),
    ],
)
def test_bad_files_are_one_clear_line_and_nothing_is_written(
    command: Command, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    lake = tmp_path / "shop"
    answer = command("ingest", tmp_path / name, "--lake", lake)
    assert answer.code == 1
    assert says in answer.error
    assert [path.name for path in tmp_path.iterdir()] == [name] or not list(lake.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--lake", "nowhere"], "No lake in nowhere"),
        (["ingest", "nowhere.csv", "--lake", "new"], "nowhere.csv does not exist"),
        (["status", "--lake", "nowhere"], "No lake in nowhere"),
        (["score", "nowhere.csv", "--text", "t", "--output", "o.csv"], "can't be read"),
        (["score", "nowhere.csv", "--text", "t", "--output", "o.xls"], "o.xls is none of"),
        (["run", "--device", "gpu"], "No GPU to use"),
        (["run", "--input", "nowhere.csv", "--lake", "new"], "nowhere.csv does not exist"),
        (["ingest", "x.csv", "--mapping", "nowhere.yaml"], "nowhere.yaml can't be read"),
    ],
)
def test_a_named_error_is_one_line_and_exit_code_1(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = command(*words)
    assert answer.code == 1
    assert answer.error.startswith("error: ")
    assert says in answer.error
    assert not list(tmp_path.iterdir())


def test_orders_in_other_currencies_are_told_of_where_no_rate_is_known(
    command: Command, tmp_path: Path
) -> None:
    orders, lake = tmp_path / "orders.csv", tmp_path / "shop"
    head = "order_id,ordered_at,customer_id,product_id,quantity,unit_price,discount,currency"
    sold = [f"o{i},2026-01-0{i}T20:00:00Z,c{i},lamp,1,1000,0,JPY" for i in range(1, 9)]
    orders.write_text("\n".join([f"{head},line_type", *(f"{row},sale" for row in sold)]) + "\n")
    (tmp_path / "fx_rates.csv").write_text("currency,day,rate\nJPY,2026-01-01,0.006\n")
    asked = ("--lake", lake, "--currency", "EUR", "--time-zone", "Asia/Tokyo")
    ran = command("run", "--input", tmp_path, *asked)
    # The evening is the next day in Tokyo: seven lines are within a week of the rate.
    told = "order lines in no amount of EUR: 1. fx_rates has nothing for their currency"
    assert f"features: {told}" in " ".join(ran.out.split())
    assert f"demand: {told}" in " ".join(ran.out.split())
    settings = json.loads((lake / "lake.json").read_text())
    assert (settings["currency"], settings["time_zone"]) == ("EUR", "Asia/Tokyo")
    answer = command("run", "--lake", lake, "--currency", "USD")
    assert "made with currency 'EUR', not 'USD'" in answer.error


@pytest.mark.parametrize(
    "words",
    [["dance"], ["run", "--device", "toaster"], ["history"], ["generate", "x", "--days", "0"]],
)
def test_wrong_usage_is_exit_code_2(command: Command, words: list[str]) -> None:
    assert command(*words).code == 2


def test_serving_beyond_this_machine_needs_configured_keys(
    command: Command, tmp_path: Path
) -> None:
    from gpu_pipeline import Lake

    Lake.create(tmp_path / "shop")
    answer = command("serve", "--lake", tmp_path / "shop", "--host", "0.0.0.0")  # noqa: S104
    assert answer.code == 1
    assert "GPU_PIPELINE_API_KEYS" in answer.error


@pytest.mark.parametrize("ending", [".csv", ".csv.zst", ".jsonl", ".jsonl.gz", ".parquet"])
def test_score_keeps_every_row_and_column_in_any_kind_of_file(
    command: Command, tmp_path: Path, ending: str
) -> None:
    source, output = tmp_path / "in.csv", tmp_path / f"out{ending}"
    source.write_text('id,body\n1,"I love it, truly"\n2,It broke and I hate it.\n3,\n')
    assert command("score", source, "--text", "body", "--output", output).code == 0
    rows = _rows(output)
    assert [str(row["id"]) for row in rows] == ["1", "2", "3"]
    assert [row["label"] for row in rows][:2] == ["positive", "negative"]
    for row in rows[:2]:
        total = sum(float(str(row[name])) for name in ("negative", "neutral", "positive"))
        assert total == pytest.approx(1, abs=1e-5)
        assert (str(row["certain"]).lower(), row["language"]) == ("true", "en")
    assert not rows[2]["label"]
    assert rows[2]["language"] == "und"
    assert not list(tmp_path.glob(".*unfinished"))


def test_score_says_what_it_left_out_and_tells_aspects_where_asked(
    command: Command, tmp_path: Path
) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('body\n"Great screen, awful battery."\nDas Paket kam viel zu spät an.\n')
    answer = command("score", source, "--text", "body", "--output", output, "--aspects")
    assert answer.code == 0
    assert "2 rows, of which without a label: 1 in a language that" in answer.out
    found = _rows(output)
    assert found[0]["aspects"] == "screen:positive; battery:negative"
    assert (found[1]["language"], found[1]["label"] or None) == ("de", None)


def test_score_refuses_a_broken_file_and_leaves_no_output(command: Command, tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("id,body\n1,good\n2,bad,worse\n")
    answer = command("score", source, "--text", "body", "--output", output)
    assert (answer.code, "record 2" in answer.error) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def _rows(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if ".jsonl" in path.name:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return [json.loads(line) for line in text.splitlines()]
    return pc.read_csv(path).to_pylist()


def test_score_never_overwrites_a_column_of_the_caller(command: Command, tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("label,body\nmine,good\n")
    answer = command("score", source, "--text", "body", "--output", output)
    assert (answer.code, "label already" in answer.error) == (1, True)
    assert not output.exists()


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_score_refuses_a_column_of_numbers_and_names_those_with_words(
    command: Command, tmp_path: Path, ending: str
) -> None:
    source, output = tmp_path / f"in{ending}", tmp_path / "out.csv"
    rows = [
        {"stars": 5.0, "day": "1/2", "body": "good"},
        {"stars": -4.5, "day": None, "body": ""},
        {"stars": None, "day": "", "body": "5"},
    ]
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), source)
    elif ending == ".jsonl":
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        source.write_text("stars,day,body\n5,1/2,good\n-4.5,,\n,,5\n")
    answer = command("score", source, "--text", "stars", "--output", output)
    told = "the column 'stars' holds numbers, which have no mood; the columns with words are body."
    assert (answer.code, told in answer.error) == (1, True)
    assert not output.exists()
    assert command("score", source, "--text", "body", "--output", output).code == 0


def test_the_demo_keeps_out_of_a_lake_with_other_files(command: Command, tmp_path: Path) -> None:
    (tmp_path / "fx_rates_ours.csv").write_text("currency,day,rate\nUSD,2026-01-01,0.9\n")
    lake = tmp_path / "shop"
    command("ingest", tmp_path / "fx_rates_ours.csv", "--lake", lake)
    answer = command("demo", "--lake", lake)
    assert (answer.code, "a lake of its own" in answer.error) == (1, True)


def test_what_looks_like_markup_in_a_table_is_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import pandas as pd

    from gpu_pipeline.terminal import Column, print_table

    frame = pd.DataFrame({"name": ["[bold]x[/]", r"\[/]", "a\x1b[31mb", None]})
    print_table("Names", frame, {"name": Column("name")})
    shown = capsys.readouterr().out
    assert "[bold]x[/]" in shown
    assert "\x1b" not in shown


def test_a_dry_ingest_shows_what_rows_would_become_and_makes_no_lake(
    command: Command, tmp_path: Path
) -> None:
    source, lake = tmp_path / "fx_rates.csv", tmp_path / "shop"
    source.write_text("currency,day,rate\nUSD,2026-01-01,0.9\nUSD,soon,0.9\nusd,2026-01-02\n")
    answer = command("ingest", source, "--lake", lake, "--dry-run")
    assert answer.code == 0
    assert "1 rows would be accepted, 2 rejected" in answer.out
    for shown in ("2026-01-01T00:00:00", "0.9", "day: not a time", "2 fields, not 3"):
        assert shown in answer.out
    assert "delimiter ','" in answer.out
    (preview,) = json.loads(command("ingest", source, "--lake", lake, "--dry-run", "--json").out)
    assert (preview["accepted"], preview["rejected"]) == (1, 2)
    assert preview["examples"][0]["after"]["day"] == "2026-01-01T00:00:00.000000"
    assert not lake.exists()
