"""Files of series as long frames: what is taken, added up and refused."""

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpu_pipeline.errors import IngestError
from gpu_pipeline.file_rows.rejecting import Rejected
from gpu_pipeline.forecast_files.series_file import Reading, SeriesColumns, read_series

COLUMNS = SeriesColumns(
    id="item", time="day", value="units", known_ahead=("price", "event"), static=("shop",)
)
ROWS = """item,day,units,price,event,shop
b,2026-01-05,3,1.5,,north
a,2026-01-06T10:30:00,2,2,Easter,south
a,2026-01-05,,2,,south
"""


def read(path: Path, text: str | None = ROWS, **how: Any) -> tuple[pd.DataFrame, Rejected, Any]:
    if text is not None:
        path.write_text(text)
    rejected = Rejected()
    columns, texts = how.pop("columns", COLUMNS), how.pop("texts", ())
    reading = Reading(**{"freq": "D", **how})
    frame, told = read_series(path, columns, rejected, reading, texts=texts)
    return frame.astype({"unique_id": "str"}), rejected, told


def test_rows_become_series_and_days_with_their_columns(tmp_path: Path) -> None:
    frame, rejected, told = read(tmp_path / "s.csv")
    assert frame["unique_id"].tolist() == ["b", "a", "a"]
    assert frame["ds"].dt.strftime("%d %H:%M").tolist() == ["05 00:00", "06 00:00", "05 00:00"]
    assert frame["y"].fillna(-1).tolist() == [3, 2, -1]
    assert frame["price"].tolist() == [1.5, 2, 2]
    assert frame["event"].astype("str").fillna("none").tolist() == ["none", "Easter", "none"]
    assert frame["shop"].tolist() == ["north", "south", "south"]
    assert (rejected.rows, told) == (0, ())


@pytest.mark.parametrize("name", ["s.jsonl.gz", "s.parquet"])
def test_the_kind_of_file_changes_nothing(tmp_path: Path, name: str) -> None:
    wanted, _, _ = read(tmp_path / "s.csv")
    rows = pd.read_csv(tmp_path / "s.csv")
    if name.endswith(".parquet"):
        typed = rows.assign(day=pd.to_datetime(rows["day"], format="ISO8601"))
        pq.write_table(pa.Table.from_pandas(typed), tmp_path / name)
    else:
        text = rows.to_json(orient="records", lines=True)
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    found, _, _ = read(tmp_path / name, None)
    pd.testing.assert_frame_equal(found, wanted, check_categorical=False)


def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path: Path) -> None:
    bad = ",2026-01-05,1,1,,x\na,soon,1,1,,x\na,,1,1,,x\na,2026-01-09,many,1,,x\na,2026-01-09\n"
    frame, rejected, _ = read(tmp_path / "s.csv", ROWS + bad)
    assert len(frame) == 3
    assert rejected.rows == 5
    assert dict(rejected.counts) == {
        "no series": 1,
        "day: no time": 1,
        "day: missing": 1,
        "units: no number": 1,
        "broken row: 2 fields, not 6": 1,
    }


def test_a_file_without_a_sound_row_says_what_is_wrong_with_the_first(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"None of the 1 rows .* record 1: day: no time"):
        read(tmp_path / "s.csv", "item,day,units,price,event,shop\na,x,1,1,,s\n")


def test_a_repeated_series_and_day_is_refused_unless_it_is_to_be_added_up(tmp_path: Path) -> None:
    text = ROWS + "a,2026-01-06T18:00:00,5,4,Lent,south\na,2026-01-05 09:00,,3,,south\n"
    message = r"2 of 5 rows of .* repeat a series and day, such as 'a' on 2026-01-06: add them up"
    with pytest.raises(IngestError, match=message):
        read(tmp_path / "s.csv", text)
    frame, _, _ = read(tmp_path / "s.csv", text, add_up=True)
    found = frame.sort_values(["unique_id", "ds"])
    assert found["y"].fillna(-1).tolist() == [-1, 7, 3]
    assert found["price"].tolist() == [2.5, 3, 1.5]
    assert found["event"].astype("str").fillna("none").tolist() == ["none", "Easter", "none"]


def days(count: int, start: str = "2026-01-05") -> str:
    rows = [f"a,{day:%Y-%m-%d},1,1,,s" for day in pd.date_range(start, periods=count)]
    return "\n".join(["item,day,units,price,event,shop", *rows, ""])


def test_days_make_whole_weeks_where_they_are_to_be_added_up(tmp_path: Path) -> None:
    frame, _, told = read(tmp_path / "s.csv", days(20, "2026-01-03"), freq="W", add_up=True)
    assert frame["ds"].dt.strftime("%m-%d").tolist() == ["01-05", "01-12"]
    assert frame["y"].tolist() == [7, 7]
    assert told == (
        "days are added up to weeks from Monday on; 6 rows of weeks that are not whole are left "
        "out",
    )
    with pytest.raises(IngestError, match=r"lie on 7 weekdays, weeks .* with --sum"):
        read(tmp_path / "s.csv", days(20), freq="W")
    with pytest.raises(IngestError, match="no whole week from a Monday to a Sunday"):
        read(tmp_path / "s.csv", days(9, "2026-01-06"), freq="W", add_up=True)


def test_weeks_of_one_weekday_are_taken_as_they_are(tmp_path: Path) -> None:
    text = ROWS.replace("2026-01-06T10:30:00", "2026-01-12 10:30")
    frame, _, told = read(tmp_path / "s.csv", text, freq="W")
    assert frame["ds"].dt.strftime("%m-%d").tolist() == ["01-05", "01-12", "01-05"]
    assert told == ()


def test_a_column_of_numbers_is_text_where_history_says_so(tmp_path: Path) -> None:
    frame, _, _ = read(tmp_path / "s.csv", texts=["price"])
    assert frame["price"].tolist() == ["1.5", "2", "2"]
    with_words, _, _ = read(tmp_path / "s.csv", ROWS.replace(",1.5,", ",cheap,"))
    assert with_words["price"].tolist() == ["cheap", "2", "2"]


def test_a_format_tells_how_times_are_written(tmp_path: Path) -> None:
    text = "item,day,units\na,31/01/2026,4\n"
    columns = SeriesColumns(id="item", time="day", value="units")
    frame, _, _ = read(tmp_path / "s.csv", text, columns=columns, time_format="%d/%m/%Y")
    assert frame["ds"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-31"]


def test_a_file_of_the_future_has_no_value(tmp_path: Path) -> None:
    columns = SeriesColumns(id="item", time="day", value=None, known_ahead=("price",))
    frame, _, _ = read(tmp_path / "s.csv", columns=columns)
    assert list(frame) == ["unique_id", "price", "ds"]
