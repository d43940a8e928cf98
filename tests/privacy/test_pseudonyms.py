import hashlib

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import Pseudonym
from gpu_pipeline.errors import LakeError
from gpu_pipeline.privacy import (
    as_hex,
    chained,
    fingerprint,
    first_key,
    keys_of,
    new_key,
    rotated,
    rotated_all,
    token,
    tokens,
)

KEY = "0123456789abcdef" * 4
CPU = Backend.choose("cpu")

# Text with what matters to an id (blanks, capitals, ".0") more often than chance would have it.
IDS = st.text(max_size=12) | st.text("Aa1.0@ \t\n\u00a0\u2003É", max_size=12)


def column(*texts: str | None) -> "pd.Series[str]":
    return pd.Series(texts, dtype="str")


@settings(deadline=None)
@given(
    st.lists(IDS | st.none(), max_size=8), st.sampled_from(["customer", "guest"]), st.integers(0, 2)
)
@example(
    ["17850.0", "17850", " 17850 ", "17850.00", "Jane.DOE@Example.COM", "", None], "customer", 0
)
@example(["\x1c1\x1c", "\u00a01\u00a0", "1.0\n", "v1.0", "1.0.0", "É@B", "١.0"], "customer", 1)
def test_a_column_gets_the_tokens_of_its_values_one_by_one(
    values: list[str | None], kind: str, rotations: int
) -> None:
    key = chained(KEY, *(f"{n:064x}" for n in range(rotations)))
    series = pd.Series(values, dtype="str", index=range(7, 7 + len(values)))
    expected = [0 if v is None else token(v, key=key, kind=kind) for v in values]
    made = tokens(series, key=key, kind=kind, backend=CPU)
    assert_frames_equal(made, pd.Series(expected, dtype="int64", index=series.index))


def test_a_token_is_the_start_of_a_keyed_digest() -> None:
    digest = hashlib.sha256(f"{KEY}customer:17850".encode()).hexdigest()
    assert as_hex(token("17850", key=KEY, kind="customer")) == digest[:16]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("17850", " 17850.0\n"),
        ("17850", "17850.00"),
        ("jane.doe@example.com", "\tJane.Doe@EXAMPLE.com"),
    ],
)
def test_ways_to_write_an_id_are_one_person(one: str, other: str) -> None:
    assert token(one, key=KEY, kind="customer") == token(other, key=KEY, kind="customer")


@pytest.mark.parametrize(
    ("one", "other"), [("c-1", "C-1"), ("v1", "v1.0"), ("17850", "178500"), ("1", "01"), ("1", "")]
)
def test_other_ids_are_other_people(one: str, other: str) -> None:
    assert token(one, key=KEY, kind="customer") != token(other, key=KEY, kind="customer")


def test_the_key_and_the_kind_change_every_token() -> None:
    made = {
        token("17850", key=key, kind=kind)
        for key in (KEY, new_key())
        for kind in ("customer", "visitor", "guest", "author")
    }
    assert len(made) == 8


def test_tokens_use_all_of_the_64_bits() -> None:
    made = [token(str(i), key=KEY, kind="customer") for i in range(500)]
    assert min(made) < -(2**62)
    assert max(made) > 2**62
    assert {value & 3 for value in made} == {0, 1, 2, 3}


@given(st.integers(-(2**63), 2**63 - 1))
@example(-1)
@example(0)
def test_sixteen_hex_digits_say_a_token_exactly(value: int) -> None:
    shown = as_hex(value)
    assert len(shown) == 16
    assert int.from_bytes(bytes.fromhex(shown), "big", signed=True) == value


def test_each_later_key_of_a_chain_makes_a_token_of_the_digits_of_the_one_before() -> None:
    later = ["ab" * 32, "cd" * 32]
    made = token("17850", key=KEY, kind="customer")
    for key in later:
        digest = hashlib.sha256(f"{key}token:{as_hex(made)}".encode()).hexdigest()
        made = rotated(made, key=key)
        assert as_hex(made) == digest[:16]
    assert token("17850", key=chained(KEY, *later), kind="customer") == made


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8))
@example([0, -1, 5, 5])
def test_an_array_of_tokens_rotates_as_they_do_one_by_one(values: list[int]) -> None:
    made = rotated_all(np.array(values, dtype=np.int64), key=KEY)
    assert made.dtype == np.int64
    assert made.tolist() == [rotated(value, key=KEY) for value in values]


def test_nobody_stays_nobody() -> None:
    assert rotated(0, key=KEY) == 0
    assert tokens(column(None), key=f"{KEY},{new_key()}", kind="guest", backend=CPU).tolist() == [0]


def test_the_first_key_of_a_chain_is_the_oldest() -> None:
    assert first_key(KEY) == first_key(chained(KEY, new_key(), new_key())) == KEY


@pytest.mark.parametrize("chain", ["", "abc", f"{KEY},", f"{KEY};{KEY}", f"{KEY},x{KEY}"])
def test_what_is_no_chain_of_keys_is_refused_without_being_shown(chain: str) -> None:
    with pytest.raises(LakeError, match="a key is 64 hexadecimal digits") as caught:
        token("1", key=chain, kind="customer")
    assert KEY not in str(caught.value)


def test_a_new_key_is_never_the_same_and_a_fingerprint_does_not_hold_it() -> None:
    first, second = new_key(), new_key()
    assert first != second
    assert len(bytes.fromhex(first)) == 32
    assert fingerprint(first) == fingerprint(first) != fingerprint(second)
    assert fingerprint(first) not in first


def test_the_first_column_that_names_somebody_makes_the_key() -> None:
    frame = pd.DataFrame(
        {"customer_id": column("7", " ", None, None), "order_id": column("a", "b", "c", " ")}
    )
    ways = (Pseudonym(of="customer_id", kind="customer"), Pseudonym(of="order_id", kind="guest"))
    keys, kinds = keys_of(frame, ways, key=KEY, backend=CPU)
    guests = [token(order, key=KEY, kind="guest") for order in "bc"]
    assert keys.tolist() == [token("7", key=KEY, kind="customer"), *guests, 0]
    assert kinds.fillna("nobody").tolist() == ["customer", "guest", "guest", "nobody"]


def test_without_any_of_the_columns_nobody_is_named() -> None:
    frame = pd.DataFrame({"product_id": column("a", "b")})
    keys, kinds = keys_of(frame, (Pseudonym(of="author", kind="author"),), key=KEY, backend=CPU)
    assert keys.tolist() == [0, 0]
    assert kinds.isna().all()
    assert str(keys.dtype) == "int64"
