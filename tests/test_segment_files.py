"""Segments of any file of orders or features: what is taken, what is refused, what comes out."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from real_data import real_data

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import IngestError, PipelineError
from gpu_pipeline.file_rows.rejecting import Rejected
from gpu_pipeline.segment_files import SegmentedFile, segment_file
from gpu_pipeline.segment_files import order_file as order_file_module
from gpu_pipeline.segment_files.columns import FeatureColumns, OrderColumns, columns_of
from gpu_pipeline.segment_files.order_file import OrderFile

CPU = Backend.choose("cpu")
HERE = Path("orders.csv")


def orders(*, customers: int = 60, seed: int = 0) -> pd.DataFrame:
    """Orders of customers of three kinds: often and much, now and then, once and long ago."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        kind = number % 3
        for _ in range((12, 4, 1)[kind]):
            day = int(rng.integers(0, (30, 200, 20)[kind])) + (0, 0, 300)[kind]
            at = datetime(2026, 6, 30, 12, tzinfo=UTC) - pd.Timedelta(days=day)
            price = (90, 30, 10)[kind] + int(rng.integers(0, 9))
            rows.append((f"c{number}", f"{at:%Y-%m-%dT%H:%M:%S}", price, len(rows) // 2))
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount", "order_no"])


def written(folder: Path, frame: pd.DataFrame, name: str = "orders.csv") -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    elif ".jsonl" in name:
        text = frame.to_json(orient="records", lines=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    else:
        frame.to_csv(path, index=False)
    return path


def segmented(path: Path, **how: Any) -> tuple[SegmentedFile, list[dict[str, Any]]]:
    output = path.with_name("out.parquet")
    done = segment_file(path, output, **{"customer": "customer_id", "n_segments": 3, **how})
    rows: list[dict[str, Any]] = pq.read_table(output).to_pylist()
    return done, rows


def test_every_customer_comes_once_with_a_segment_and_reasons(tmp_path: Path) -> None:
    done, rows = segmented(written(tmp_path, orders()))
    assert [row["customer_id"] for row in rows] == sorted(f"c{n}" for n in range(60))
    assert list(rows[0]) == [
        *("customer_id", "segment", "segment_name"),
        *("reason_1", "reason_2", "reason_3", "distance"),
    ]
    kinds = {(int(row["customer_id"][1:]) % 3, row["segment"]) for row in rows}
    assert sorted(kinds) == [(0, 0), (1, 1), (2, 2)]
    assert all(row["reason_1"] and row["distance"] >= 0 for row in rows)
    assert (done.rows, done.customers, done.customers_without) == (340, 60, 0)
    assert done.taken_as == "orders: time date, amount amount, order order_no"
    assert done.as_of == datetime(2026, 6, 30, 12)  # noqa: DTZ001
    assert done.profiles["customers"].tolist() == [20, 20, 20]
    assert done.profiles["revenue_share"].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["o.jsonl.gz", "o.parquet", "o.jsonl"])
def test_the_kind_of_file_and_the_order_of_rows_change_nothing(tmp_path: Path, name: str) -> None:
    _, wanted = segmented(written(tmp_path, orders()))
    turned = orders().sample(frac=1.0, random_state=1)
    _, found = segmented(written(tmp_path, turned, name))
    assert found == wanted


def test_features_are_those_that_a_slow_and_obvious_way_finds(tmp_path: Path) -> None:
    frame = orders()
    path = written(tmp_path, frame)
    columns = columns_of(path, list(frame.columns), customer="customer_id")
    assert isinstance(columns, OrderColumns)
    file = OrderFile(path, columns, Rejected())
    found = file.features(CPU).set_index("customer_key")
    ids = file.ids.to_pylist()
    times = pd.to_datetime(frame["date"])
    for place, one in enumerate(ids):
        mine = frame["customer_id"] == one
        row = found.loc[place]
        assert row["orders"] == frame["order_no"][mine].nunique()
        assert row["revenue"] == frame["amount"][mine].sum()
        since = times.max() - times[mine].max()
        assert row["days_since_last_order"] == since / pd.Timedelta(days=1)


@pytest.mark.parametrize("rows_at_once", [1, 7, 100])
def test_how_many_customers_are_worked_on_at_once_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    path = written(tmp_path, orders(customers=10))
    columns = OrderColumns(customer="customer_id", time="date", amount="amount")
    wanted = OrderFile(path, columns, Rejected()).features(CPU)
    monkeypatch.setattr(order_file_module, "_ROWS_AT_ONCE", rows_at_once)
    found = OrderFile(path, columns, Rejected()).features(CPU)
    pd.testing.assert_frame_equal(found, wanted)


def test_rows_that_cannot_be_used_are_counted_and_kept_with_their_reasons(tmp_path: Path) -> None:
    path = written(tmp_path, orders())
    with path.open("a") as file:
        file.write(",2026-01-01,5,1\n  ,2026-01-01,5,1\nc1,soon,5,1\nc1,,5,1\n")
        file.write("c1,2026-01-01,much,1\nc1,2026-01-01,1e999,1\nc1,2026-01-01,1e30,1\n")
        file.write('c1,soon,,1\nc1,2026-01-01,5\nc1,2026-01-01,"1,234.50",1\n')
    clean = segmented(written(tmp_path, orders(), "clean.csv"))[1]
    done, rows = segmented(path, rejected=tmp_path / "no.jsonl")
    assert rows == clean
    assert done.rejected == {
        "no customer": 2,
        "date: missing": 1,
        "date: no time": 2,
        "amount: missing": 1,
        "amount: no number": 2,
        "amount: infinite": 1,
        "amount: too large": 1,
        "broken row: 3 fields, not 4": 1,
    }
    refused = [json.loads(line) for line in (tmp_path / "no.jsonl").read_text().splitlines()]
    assert (done.rows, done.rejected_rows, len(refused)) == (340, 10, 10)
    by_line = {row["line"]: row for row in refused}
    assert sorted(by_line) == list(range(341, 351))
    assert by_line[348]["reasons"] == "date: no time; amount: missing"
    assert json.loads(by_line[343]["row"])["date"] == "soon"
    assert by_line[349]["row"] == "c1,2026-01-01,5"


def test_nothing_rejected_is_an_empty_file(tmp_path: Path) -> None:
    segmented(written(tmp_path, orders()), rejected=tmp_path / "no.csv")
    assert (tmp_path / "no.csv").read_text() == '"line","reasons","row"\n'


def test_who_only_sent_things_back_or_came_later_is_there_without_a_segment(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, orders())
    with path.open("a") as file:
        file.write("back,2026-06-01,-5,1\nlate,2026-07-01,5,1\n")
    as_of = datetime(2026, 6, 30, 12)  # noqa: DTZ001
    done, rows = segmented(path, as_of=as_of)
    without = [row for row in rows if row["segment"] is None]
    assert [row["customer_id"] for row in without] == ["back", "late"]
    assert {row["reason_1"] for row in without} == {"bought nothing by then"}
    assert (done.customers, done.customers_without) == (62, 2)


@pytest.mark.parametrize(
    ("quantity", "price", "revenue", "units"),
    [
        (3, 2.5, 7.5, 3),
        (0.75, 4.0, 3.0, 1),  # by weight
        (1000, 0.0125, 12.5, 1),  # a price that no cent holds
        (2, -1.5, -3.0, 0),  # taken off
    ],
)
def test_quantities_times_prices_are_what_was_paid(
    tmp_path: Path, quantity: float, price: float, revenue: float, units: int
) -> None:
    rows = {"Qty": [1, quantity], "UnitPrice": [10.0, price], "CustomerID": 7}
    frame = pd.DataFrame({**rows, "InvoiceDate": ["2026-01-01", "2026-03-01"]})
    path = written(tmp_path, frame, "o.parquet")
    columns = columns_of(path, list(frame.columns), customer="CustomerID")
    assert columns == OrderColumns(
        customer="CustomerID", time="InvoiceDate", amount="UnitPrice", quantity="Qty"
    )
    (found,) = OrderFile(path, columns, Rejected()).features(CPU).to_dict("records")
    assert (found["revenue"], found["units"]) == (10.0 + revenue, 1 + units)


def test_nothing_of_a_price_that_no_whole_number_holds_is_refused_too(tmp_path: Path) -> None:
    frame = orders().rename(columns={"amount": "unit_price"}).assign(quantity=1)
    frame.loc[0, ["quantity", "unit_price"]] = [0, 10**17]
    done, _ = segmented(written(tmp_path, frame))
    assert done.rejected == {"unit_price: too large": 1}


def test_money_of_a_named_currency_is_in_its_minor_units(tmp_path: Path) -> None:
    frame = orders().assign(currency="JPY")
    done, _ = segmented(written(tmp_path, frame))
    assert "JPY" in " ".join(done.profiles["trait_1"] + done.profiles["trait_2"])
    mixed = frame.assign(currency=["JPY", "EUR"] * (len(frame) // 2))
    with pytest.raises(IngestError, match="has amounts in EUR, JPY"):
        segmented(written(tmp_path, mixed))


def test_times_may_be_written_in_a_way_that_is_told(tmp_path: Path) -> None:
    frame = orders()
    times = pd.to_datetime(frame["date"])
    _, wanted = segmented(written(tmp_path, frame))
    odd = frame.assign(date=times.dt.strftime("%d/%m/%Y %H:%M"))
    _, found = segmented(written(tmp_path, odd), time_format="%d/%m/%Y %H:%M")
    assert found == wanted
    with pytest.raises(IngestError, match=r"None of the 340 rows of .* record 1: date: no time"):
        segmented(written(tmp_path, odd))
    numbers = frame.assign(date=times.dt.strftime("%Y%m%d").astype(int))
    with pytest.raises(IngestError, match="is int64: times are timestamps or ISO 8601 texts"):
        segmented(written(tmp_path, numbers, "o.parquet"))
    _, days = segmented(written(tmp_path, numbers, "o.parquet"), time_format="%Y%m%d")
    assert [row["segment"] for row in days] == [row["segment"] for row in wanted]


def people(**columns: Any) -> pd.DataFrame:
    """Ninety people of three kinds."""
    rng = np.random.default_rng(2)
    kind = np.arange(90) % 3
    return pd.DataFrame(
        {
            "id": np.arange(1000, 1090),
            "spend": np.array([10.0, 100.0, 900.0])[kind] + rng.random(90),
            "visits": np.array([30.0, 5.0, 1.0])[kind] + rng.integers(0, 2, 90),
            "town": "Ulm",
            **columns,
        }
    )


def test_a_file_of_features_is_segmented_by_its_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, people(), "p.csv")
    done, rows = segmented(path, customer="id", profiles=tmp_path / "profiles.csv")
    assert done.taken_as == "features: spend, visits; not of numbers: town"
    assert [row["id"] for row in rows] == [str(n) for n in range(1000, 1090)]
    for kind in range(3):
        assert len({row["segment"] for row in rows[kind::3]}) == 1
    assert len({row["segment_name"] for row in rows}) == 3
    profiles = pc.read_csv(tmp_path / "profiles.csv").to_pylist()
    assert [one["customers"] for one in profiles] == [30, 30, 30]
    assert {round(one["spend"], -1) for one in profiles} == {10, 100, 900}
    assert "revenue_share" not in profiles[0]


def test_features_that_are_named_alone_count(tmp_path: Path) -> None:
    noisy = people(noise=np.random.default_rng(1).random(90) * 1e6)
    done, _ = segmented(written(tmp_path, noisy, "p.parquet"), customer="id", features=["spend"])
    assert tuple(done.model.features) == ("spend",)
    assert done.taken_as == "features: spend"


@pytest.mark.parametrize("name", ["segment", "customers", "trait_1", "customer_key"])
def test_a_feature_called_like_a_column_of_ours_is_refused_by_its_name(
    tmp_path: Path, name: str
) -> None:
    frame = pd.DataFrame({"customer_id": range(30), "spend": range(30), name: range(0, 60, 2)})
    path = written(tmp_path, frame, "people.csv")
    with pytest.raises(PipelineError, match=f"{name}.*rename"):
        segmented(path)
    assert not (tmp_path / "out.parquet").exists()
    assert segmented(path, features=["spend"])[0].customers == 30


def test_of_a_file_of_features_bad_rows_go_and_missing_values_stay(tmp_path: Path) -> None:
    path = written(tmp_path, people(), "p.csv")
    with path.open("a") as file:
        file.write("1000,5,5,again\n,5,5,x\n2000,,5,x\n2001,inf,5,x\n2002,much,5,x\n")
    done, rows = segmented(path, customer="id")
    assert (len(rows), rows[-1]["id"]) == (91, "2000")
    assert done.rejected == {
        "no customer": 1,
        "spend: no number": 2,
        "a second row of its customer (of orders? name --time and --amount)": 1,
    }


def test_hdbscan_leaves_out_who_is_like_nobody(tmp_path: Path) -> None:
    odd = people(spend=[5000.0, *people()["spend"][1:]])
    done, rows = segmented(
        written(tmp_path, odd, "p.csv"), customer="id", method="hdbscan", n_segments=0
    )
    assert rows[0]["segment"] == -1
    assert set(done.profiles["segment"]) > {-1, 0}


@pytest.mark.parametrize(
    ("names", "given", "taken"),
    [
        (["c", "InvoiceDate", "Total"], {}, ("InvoiceDate", "Total", None, None)),
        (["c", "order_date", "price"], {}, ("order_date", "price", None, None)),
        (["c", "day", "x", "n"], {"time": "day", "amount": "x"}, ("day", "x", None, None)),
        (["c", "date", "price", "qty"], {}, ("date", "price", "qty", None)),
        (["c", "date", "price", "qty"], {"amount": "price"}, ("date", "price", None, None)),
        (["c", "date", "amount", "price", "qty"], {}, ("date", "amount", None, None)),
        (
            ["c", "date", "amount", "price", "qty", "Order ID"],
            {"quantity": "qty"},
            ("date", "price", "qty", "Order ID"),
        ),
    ],
)
def test_columns_are_recognised_by_usual_names(
    names: list[str], given: dict[str, str], taken: tuple[str | None, ...]
) -> None:
    found = columns_of(HERE, names, customer="c", **given)
    assert isinstance(found, OrderColumns)
    assert (found.time, found.amount, found.quantity, found.order) == taken


def test_without_a_time_it_is_a_file_of_features() -> None:
    assert columns_of(HERE, ["c", "x"], customer="c") == FeatureColumns(customer="c")


@pytest.mark.parametrize(
    ("names", "given", "says"),
    [
        (
            ["c", "date", "created_at", "amount"],
            {},
            "in 'date' or 'created_at': say which with --ti",
        ),
        (["c", "date", "amount", "total"], {}, "in 'amount' or 'total': say which with --amount"),
        (["c", "date", "x"], {}, "usual name for the amount of an order; it has c, date, x"),
        (["c", "x"], {"amount": "x"}, "usual name for the time of an order"),
        (["c", "x"], {"customer": "who"}, r"no column 'who' \(--customer\); it has c, x"),
        (["c", "x"], {"features": ["x", "y"]}, r"no column 'y' \(--features\)"),
        (["c", "x"], {"features": ["x"], "time": "x"}, "leave out --time"),
    ],
)
def test_what_cannot_be_told_is_asked_for(
    names: list[str], given: dict[str, Any], says: str
) -> None:
    with pytest.raises(IngestError, match=says):
        columns_of(HERE, names, **{"customer": "c", **given})


def test_what_cannot_be_segmented_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    texts = people().drop(columns=["spend", "visits"])
    with pytest.raises(IngestError, match="has no column of numbers beside 'id'"):
        segmented(written(tmp_path, texts, "p.csv"), customer="id")
    with pytest.raises(IngestError, match="has a column 'segment' of its own"):
        segmented(written(tmp_path, people(segment=1), "p.csv"), customer="segment")
    with pytest.raises(IngestError, match=r"no --as-of, no --time-format"):
        segmented(written(tmp_path, people(), "p.csv"), customer="id", time_format="%Y")
    with pytest.raises(PipelineError, match="customers"):
        segmented(written(tmp_path, people().head(2), "p.csv"), customer="id")
    too_early = datetime(2020, 1, 1)  # noqa: DTZ001
    with pytest.raises(PipelineError, match=r"Nobody in .*until 2020-01-01"):
        segmented(written(tmp_path, orders()), as_of=too_early)
    with pytest.raises(IngestError, match="has no rows"):
        segmented(written(tmp_path, people().head(0), "p.parquet"), customer="id")
    assert not (tmp_path / "out.parquet").exists()


def test_real_orders_add_up_to_what_was_published() -> None:
    path = real_data("customers/cdnow_purchases.parquet")
    columns = columns_of(path, ["customer_id", "date", "cds", "amount"], customer="customer_id")
    assert isinstance(columns, OrderColumns)
    file = OrderFile(path, columns, Rejected())
    found = file.features(CPU)
    assert (len(file), len(file.ids)) == (69_659, 23_570)
    assert round(found["revenue"].sum(), 2) == 2_500_315.63
