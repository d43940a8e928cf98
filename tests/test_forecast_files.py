"""Forecasts of any file of series: what comes out, what is told, and what is refused."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import Command, commands, without_progress

from gpu_pipeline.errors import IngestError, PanelError
from gpu_pipeline.forecast_files import ForecastedFile, forecast_file

DAYS, HORIZON = 98, 7
NAMES = {"id": "item", "time": "day", "value": "units", "horizon": HORIZON}
QUANTILES = ["p10", "p50", "p90"]


def sales(days: int = DAYS, *, begin: int = 0) -> pd.DataFrame:
    """Eight items of two shops, sold more at weekends and twice as often at half the price."""
    day = np.arange(begin, begin + days)
    rng = np.random.default_rng(begin)
    half = day % 14 == 3
    rows = []
    for item in range(8):
        mean = (item + 2) * np.where(day % 7 >= 5, 2.0, 1.0) * np.where(half, 2.0, 1.0)
        rows.append(
            pd.DataFrame(
                {
                    "item": f"i{item}",
                    "day": (pd.Timestamp("2026-01-05") + pd.to_timedelta(day, "D")).strftime(
                        "%Y-%m-%d"
                    ),
                    "units": rng.poisson(mean),
                    "price": np.where(half, 0.5, 1.0),
                    "offer": np.where(half, "half price", None),
                    "shop": "north" if item % 2 else "south",
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sales, what is known of the week after them, and all that was made of both."""
    made = tmp_path_factory.mktemp("series")
    text = sales().to_csv(index=False) + "i0,soon,1,1,,south\n,2026-01-05,1,1,,south\n"
    (made / "sales.csv").write_text(text)
    ahead = sales(HORIZON, begin=DAYS).drop(columns=["units", "shop"])
    ahead.to_parquet(made / "ahead.parquet", index=False)
    return made


@pytest.fixture(scope="module")
def done(folder: Path) -> ForecastedFile:
    """A forecast with everything that may be asked for."""
    return forecast_file(
        folder / "sales.csv",
        folder / "out.csv",
        **NAMES,
        known_ahead=["price", "offer"],
        hierarchy=["shop"],
        future=folder / "ahead.parquet",
        levels=folder / "levels.jsonl.gz",
        rejected=folder / "rejected.jsonl",
    )


def test_each_series_has_each_period_of_the_horizon_under_the_file_s_names(
    folder: Path, done: ForecastedFile
) -> None:
    made = pd.read_csv(folder / "out.csv")
    assert list(made) == ["item", "day", "mean", *QUANTILES]
    assert made["item"].tolist() == [f"i{i}" for i in range(8) for _ in range(HORIZON)]
    assert made["day"].tolist() == sales(HORIZON, begin=DAYS)["day"].tolist()
    assert (made[QUANTILES].to_numpy() >= 0).all()
    assert (np.diff(made[QUANTILES].to_numpy(), axis=1) >= 0).all()
    expected = sum((i + 2) * 9 for i in range(8))
    assert made["mean"].sum() == pytest.approx(expected, rel=0.2)
    assert (done.series, done.periods, done.horizon) == (8, DAYS, HORIZON)


def test_rows_that_cannot_be_used_are_counted_and_kept_with_their_reasons(
    folder: Path, done: ForecastedFile
) -> None:
    assert done.rejected == {"day: no time": 1, "no series": 1}
    assert (done.rows, done.rejected_rows) == (8 * DAYS, 2)
    lines = [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]
    assert [(line["line"], line["reasons"]) for line in lines] == [
        (8 * DAYS + 1, "day: no time"),
        (8 * DAYS + 2, "no series"),
    ]


def test_forecasts_of_a_hierarchy_add_up(folder: Path, done: ForecastedFile) -> None:
    made, levels = (
        pd.read_csv(folder / "out.csv"),
        pd.read_json(folder / "levels.jsonl.gz", lines=True),
    )
    total = levels.groupby("level")["mean"].sum()
    assert total.to_numpy() == pytest.approx(made["mean"].sum(), rel=1e-5)
    assert len(total) >= 2


def test_what_was_found_and_how_good_it_is_is_told(done: ForecastedFile) -> None:
    assert done.notes[0] == "8 series of 98 days"
    assert done.models["series"].sum() == 8
    assert {"seasonal_naive"} < set(done.evaluation["model"])
    assert {"wape", "mase", "bias"} <= set(done.evaluation.columns)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "sku"}, r"has no column 'sku' \(--id\); it has item, day, units"),
        ({"static": ["brand"]}, r"has no column 'brand' \(--static\)"),
        ({"hierarchy": ["town"]}, r"has no column 'town' \(--hierarchy\)"),
        ({"time": "item"}, "named for two things: --id item, --time item, --value units"),
        ({"known_ahead": ["price"]}, "go together: give both --known-ahead and --future"),
        ({"future": Path("ahead.parquet")}, "go together"),
        ({"levels": Path("levels.csv")}, "name its columns with --hierarchy"),
        ({"value": "shop"}, r"None of the 786 rows .* record 1: shop: no number"),
        ({"static": ["offer", "price"]}, "price is static, but 8 series have several values"),
        ({"freq": "W"}, r"lie on 7 weekdays, .* --sum"),
    ],
)
def test_what_does_not_fit_the_file_is_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises((IngestError, PanelError), match=message):
        forecast_file(folder / "sales.csv", tmp_path / "out.csv", **{**NAMES, **change})
    assert list(tmp_path.iterdir()) == []


def refused_future(folder: Path, tmp_path: Path, ahead: pd.DataFrame) -> str:
    ahead.to_csv(tmp_path / "ahead.csv", index=False)
    with pytest.raises((IngestError, PanelError)) as caught:
        forecast_file(
            folder / "sales.csv",
            tmp_path / "out.csv",
            **NAMES,
            known_ahead=["price"],
            future=tmp_path / "ahead.csv",
        )
    assert not (tmp_path / "out.csv").exists()
    return str(caught.value)


def test_a_future_that_is_not_the_file_s_is_refused_before_anything_is_learnt(
    folder: Path, tmp_path: Path
) -> None:
    ahead = pd.read_parquet(folder / "ahead.parquet")
    assert "1 of 56 rows are missing, such as 'i7' on 2026-04-19" in refused_future(
        folder, tmp_path, ahead.head(55)
    )
    assert "has no column 'price' (--known-ahead)" in refused_future(
        folder, tmp_path, ahead.drop(columns="price")
    )
    assert "1 rows of" in refused_future(
        folder, tmp_path, ahead.assign(day=["soon", *ahead["day"][1:]])
    )
    assert "price is text in the future and numbers in the panel" in refused_future(
        folder, tmp_path, ahead.assign(price="cheap")
    )


def test_names_that_the_output_has_of_its_own_are_refused(tmp_path: Path) -> None:
    sales().rename(columns={"item": "mean"}).to_csv(tmp_path / "sales.csv")
    with pytest.raises(IngestError, match="The output has a column 'mean' of its own"):
        forecast_file(tmp_path / "sales.csv", tmp_path / "out.csv", **{**NAMES, "id": "mean"})


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls a command; gives its exit code, what it printed, and what it said beside that."""

    return without_progress(commands(monkeypatch, capsys))


def test_the_command_tells_what_it_found_and_which_models_it_chose(
    command: Command, tmp_path: Path
) -> None:
    rows = sales().drop(index=range(10, 15))
    rows.loc[200:204, "units"] = None
    twice = pd.concat([rows, rows.head(3)])
    twice.to_csv(tmp_path / "sales.csv", index=False)
    words = ("forecast", tmp_path / "sales.csv", "--id", "item", "--time", "day")
    words += ("--value", "units", "--horizon", HORIZON, "--output", tmp_path / "out.parquet")
    code, _, err = command(*words)
    assert code == 1
    assert "3 of 782 rows of" in err
    assert "repeat a series and day, such as 'i0' on 2026-01-05: add them up with --sum" in err
    code, out, err = command(*words, "--sum", "--seed", 3)
    assert (code, err) == (0, "")
    assert "8 series of 98 days" in out
    assert "1 series have days without a row" in out
    assert "demand was not seen on 5 days of 1 series" in out.lower()
    assert "7 periods ahead of 779 usable rows" in out
    for shown in ("most weight in", "seasonal_naive", "wape", "mase"):
        assert shown in out
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 8 * HORIZON
    assert "add up by" not in out
    code, out, _ = command(*words, "--sum", "--hierarchy", "shop")
    assert code == 0
    assert re.search("Forecasts add up by (bottom_up|top_down|wls), the best method", out)


def test_a_wrong_use_is_one_line(command: Command, tmp_path: Path) -> None:
    code, _, err = command(
        *("forecast", tmp_path / "none.csv", "--id", "a", "--time", "b", "--value", "c"),
        *("--horizon", 7, "--output", tmp_path / "out.csv"),
    )
    assert code == 1
    assert err.startswith("error: ")
    assert "none.csv" in err
