"""Is all that was damaged found, and nothing else lost? The product itself is asked."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_shop import TEXT_IDS, Shop, planted, records

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract, sources
from gpu_pipeline.ingest import FileReport, ingest
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import FILES, Truth, generate

CONFLICT = "key: another row has it with other values"


@dataclass
class Loaded:
    """A shop with damage, and the lake that took it in."""

    truth: Truth
    lake: Lake
    reports: dict[str, FileReport]

    def damage(self, source: str) -> pd.DataFrame:
        listed = planted(self.truth, "damage")
        return listed[listed["file"] == FILES[source]]

    def rejected(self, source: str) -> dict[int, str]:
        name = f"{source}_rejected"
        if self.lake.version(name) is None:
            return {}
        frame = self.lake.read(name, ["line", "reasons"]).compute()
        return dict(zip(frame["line"], frame["reasons"], strict=True))


@pytest.fixture(scope="module")
def loaded(damaged: Truth, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tmp_path_factory.mktemp("lake")
    lake = Lake.create(folder / "lake", buckets=2, backend=backend, key="0123456789abcdef" * 4)
    report = ingest(lake, damaged.directory)
    return Loaded(damaged, lake, {file.contract: file for file in report.files})


@pytest.mark.parametrize("source", sources())
def test_every_damaged_row_is_rejected_for_its_reason_and_no_good_row_is(
    loaded: Loaded, source: str
) -> None:
    listed, found = loaded.damage(source), loaded.rejected(source)
    spoilt = listed[listed["outcome"].isin(["rejected", "conflict"])]
    assert sorted(found) == sorted(spoilt["record"])
    for row in spoilt.itertuples():
        reason = CONFLICT if row.outcome == "conflict" else row.reason
        if row.kind == "broken":
            assert "fields, not" in found[row.record] or found[row.record] == "not JSON"
        else:
            assert reason in found[row.record].split("; "), row


@pytest.mark.parametrize("source", sources())
def test_repeats_are_counted_and_every_row_is_accounted_for(loaded: Loaded, source: str) -> None:
    outcomes = Counter(loaded.damage(source)["outcome"])
    report = loaded.reports[source]
    assert report.rows == loaded.truth.rows[source]
    assert report.duplicates == outcomes["duplicate"]
    assert report.rejected == outcomes["rejected"] + outcomes["conflict"]
    assert report.accepted == report.rows - report.duplicates - report.rejected


def test_at_least_twelve_kinds_of_damage_are_rejected(loaded: Loaded) -> None:
    listed = planted(loaded.truth, "damage")
    assert listed[listed["outcome"] == "rejected"]["kind"].nunique() >= 12
    assert set(listed["outcome"]) == {"rejected", "accepted", "duplicate", "conflict"}
    shares = listed.groupby("file").size() / pd.Series(
        {file: loaded.truth.rows[source] for source, file in FILES.items()}
    )
    for source in ("orders", "clickstream"):
        assert shares[FILES[source]] == pytest.approx(0.03, abs=0.003)


def test_a_clean_shop_is_accepted_whole(
    shop: Shop, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("clean")
    lake = Lake.create(folder / "lake", buckets=2, backend=backend, key="0123456789abcdef" * 4)
    for file in ingest(lake, shop.truth.directory).files:
        assert (file.accepted, file.rejected, file.duplicates) == (file.rows, 0, 0), file.name


def test_a_copy_stands_below_its_row_and_a_conflict_differs_in_one_value(damaged: Truth) -> None:
    listed = planted(damaged, "damage")
    copies = listed[listed["kind"].isin(["duplicate", "conflict"])]
    assert len(copies) > 50
    for file, some in copies.groupby("file"):
        rows = records(damaged.directory / str(file))
        source = next(source for source, name in FILES.items() if name == file)
        key = contract(source).key
        for copy in some.itertuples():
            own: dict[str, Any] = rows[copy.record - 1] or {}
            above = [row for row in rows[: copy.record - 1] if row]
            same = [r for r in above if all(r.get(k) == own.get(k) for k in key)]
            if copy.kind == "duplicate":
                assert own in same
            else:
                differs = [{n for n in own if r[n] != own[n]} for r in same]
                assert {copy.column} in differs


def test_every_kind_of_damage_is_there_even_at_a_small_rate(damaged: Truth, tmp_path: Path) -> None:
    truth = generate(tmp_path, customers=150, days=60, seed=7, damage=0.0001)
    assert truth.damaged.keys() == damaged.damaged.keys()
    assert len(truth.damaged) >= 20
    each = planted(truth, "damage").groupby(["file", "kind"]).size()
    assert each.max() == 1


def test_identifiers_stand_where_they_are_listed_in_rejected_rows_too(damaged: Truth) -> None:
    listed = planted(damaged, "identifiers")
    assert set(listed["kind"]) == {"email", "phone", "card", "ip", "iban"}
    for file, some in listed.groupby("file"):
        rows = records(damaged.directory / str(file))
        for one in some.itertuples():
            row = rows[one.record - 1] or {}
            assert one.value in str(row[one.column]), one
    damage = planted(damaged, "damage")
    spoilt = damage[damage["outcome"] == "rejected"]
    within = listed.merge(spoilt[["file", "record"]], on=["file", "record"])
    assert {FILES[source] for source in (*TEXT_IDS, "orders", "clickstream")} <= set(within["file"])


def test_no_planted_identifier_is_left_in_the_lake(loaded: Loaded) -> None:
    values = set(planted(loaded.truth, "identifiers")["value"])
    assert len(values) > 20
    for name in loaded.lake.tables():
        frame = loaded.lake.read(name).compute()
        for column in frame.select_dtypes(["str", "object"]):
            whole = "\n".join(frame[column].dropna().astype(str))
            assert [value for value in values if value in whole] == [], f"{name}.{column}"
