from pathlib import Path

import numpy as np
from order_rows import ORDERS, order_rows

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.store import key_hashes, read_keys, write_parts

CPU = Backend.choose("cpu")


def test_rows_of_one_key_share_a_hash_and_rows_of_others_do_not() -> None:
    rows = order_rows(200)
    again = rows.sample(frac=1.0, random_state=3).assign(quantity=9, customer_key=5)
    hashes = key_hashes(rows, ORDERS, CPU)
    assert len(set(hashes.tolist())) == len(rows)
    assert (hashes >= 0).all()
    assert set(key_hashes(again, ORDERS, CPU).tolist()) == set(hashes.tolist())
    other = key_hashes(rows.assign(line_no=2), ORDERS, CPU)
    assert not set(other.tolist()) & set(hashes.tolist())


def test_beside_each_part_of_a_source_lie_the_keys_of_its_rows(tmp_path: Path) -> None:
    rows = order_rows(60)
    parts = write_parts(rows, ORDERS, folder=tmp_path, name="part-1", buckets=2, backend=CPU)
    found = [read_keys(tmp_path / part.path, ORDERS, CPU) for part in parts]
    assert [len(keys) for keys in found] == [part.rows for part in parts]
    assert all((np.diff(keys) >= 0).all() for keys in found)
    assert sorted(np.concatenate(found)) == sorted(key_hashes(rows, ORDERS, CPU).tolist())


def test_keys_that_are_gone_or_cut_short_are_made_again(tmp_path: Path) -> None:
    (part,) = write_parts(
        order_rows(20, months=1), ORDERS, folder=tmp_path, name="p", buckets=1, backend=CPU
    )
    path = tmp_path / part.path
    beside = path.with_suffix(".keys")
    whole = beside.read_bytes()
    for damage in (None, b"", whole[:100], whole[:-8]):
        if damage is None:
            beside.unlink()
        else:
            beside.write_bytes(damage)
        read_keys(path, ORDERS, CPU)
        assert beside.read_bytes() == whole


def test_tables_that_are_made_from_others_have_no_keys_beside_them(tmp_path: Path) -> None:
    found = contract("quality_results")
    assert found.stage == "derived"
    write_parts(CPU.empty(found), found, folder=tmp_path, name="p", buckets=1, backend=CPU)
    assert not list(tmp_path.rglob("*.keys"))
