import hashlib
import time

import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import Pseudonym
from gpu_pipeline.privacy import (
    as_hex,
    fingerprint,
    keys_of,
    new_key,
    redact,
    redacted,
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
@given(st.lists(IDS | st.none(), max_size=8), st.sampled_from(["customer", "guest"]))
@example(["17850.0", "17850", " 17850 ", "17850.00", "Jane.DOE@Example.COM", "", None], "customer")
@example(["\x1c1\x1c", "\u00a01\u00a0", "1.0\n", "v1.0", "1.0.0", "É@B", "١.0"], "customer")
def test_a_column_gets_the_tokens_of_its_values_one_by_one(
    values: list[str | None], kind: str
) -> None:
    series = pd.Series(values, dtype="str", index=range(7, 7 + len(values)))
    expected = [0 if v is None else token(v, key=KEY, kind=kind) for v in values]
    made = tokens(series, key=KEY, kind=kind, backend=CPU)
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


IDENTIFIERS = {
    "[email]": (
        "jane.doe+shop@mail.example.co.uk",
        "JANE@EXAMPLE.COM",
        "o'brien@example.org",
        "müller@bücher.example",
    ),
    "[phone]": (
        "+49 30 901820",
        "+49 (30) 901820",
        "+44 (0) 20 7946 0958",
        "+4915112345678",
        "+1-202-555-0143",
        "+1 (202) 555\u20110143",
        "+49\u00a0151\u00a012345678",
        "00442079460958",
        "020 7946 0958",
        "(020) 7946 0958",
        "0171/1234567",
        "030-901820",
        "06.12.34.56.78",
        "202-555-0143",
        "(202) 555-0143",
        "1-800-555-0199",
    ),
    "[card]": (
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111111111111111",
        "5500005555555559",
        "2221000000000009",
        "3782 822463 10005",
        "30569309025904",
        "4222222222222",
    ),
    "[iban]": (
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "DE89-3704-0044-0532-0130-00",
        "GB82 WEST 1234 5698 7654 32",
        "gb82west12345698765432",
        "NO9386011117947",
        "AT61 1904 3002 3457 3201",
    ),
    "[ip]": (
        "192.168.0.1",
        "203.0.113.9",
        "2001:db8::1",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "fd0a:abc:b:c:d:e:f:a",
        "FE80::1ff:fe23:4567:890a",
    ),
}


@pytest.mark.parametrize(
    ("name", "identifier"),
    [(name, identifier) for name, found in IDENTIFIERS.items() for identifier in found],
)
@pytest.mark.parametrize("around", ["{}", "It is {}, thanks.", "({})", "a:{} THEN", "{}\n12/27 1"])
def test_an_identifier_in_a_text_is_replaced_by_its_name(
    name: str, identifier: str, around: str
) -> None:
    text = around.format(identifier)
    assert redact(text) == around.format(name)
    assert redacted(column("fine", text, None), backend=CPU).fillna("").tolist() == [
        "fine",
        around.format(name),
        "",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "order 536365 of 20111209125000",
        "order 2011120912345, parcel 1Z999AA10123456784",
        "on 2026-06-01 17:01:00",
        "2011-12-09 12:50:00.000000",
        "2026-06-01T09:08:07.123456789Z",
        "on 01.06.2026 17:01 or 06/01/2026",
        "between 09:00 and 17:30",
        "12.99 13.99 14.99 15.99 16.99",
        "$1,234.56, EUR 1.299,00, 1 299,00",
        "version 1.2.3, v1.2.3.4, section 1.2.3.4.5",
        "I waited 10 000 000 years",
        "5 000 000 000 people",
        "0.5 of 3.14159265358979",
        "85123A, AB1234567890, 00012345, model 0012-3456",
        "EN55032 and ISO8601",
        "iPhone 15 Pro 256GB, i7 13700H, 3840x2160",
        "part no. 123-456-7890, 100-200-3000 units",
        "4111 1111 1111 1112",
        "4111 1111 0002 0",
        "DE89370400440532013001",
        "@TechCo, 24/7, 10/10",
        "C++::std::vector, a::b, dead::beef",
        "mac 00:1B:44:11:3A:B7",
    ],
)
def test_what_identifies_nobody_stays(text: str) -> None:
    assert redact(text) == text


SHARDS = st.sampled_from(
    [
        *(identifier for found in IDENTIFIERS.values() for identifier in found),
        *("0", "00", "1", "49", "+", "(", ")", " ", "-", " - ", ".", "/", ":", "::", "@", "a@b."),
        *("fe80", "DE89", "ab12", "4111", "\u00a0", "\u2011", "٣", "x", "WEST", "1.2.3.", "\n"),
    ]
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(SHARDS, max_size=9).map("".join) | st.text(max_size=9), max_size=5))
@example(["+4 - 9 - 3 - 0 - 9 - 0 - 1 - 8", "+4  9  3  0  9  0  1  8", "FD0A:ab:b:c:d:e:f:a"])
def test_a_column_is_redacted_as_its_texts_are_one_by_one(texts: list[str]) -> None:
    given_texts = column(*texts)
    kept = given_texts.copy()
    assert redacted(given_texts, backend=CPU).tolist() == [redact(text) for text in texts]
    assert_frames_equal(given_texts, kept)


@pytest.mark.parametrize(
    "shard", ["a", "a.", "1", "1 ", "1.", "a@", "a1:", "DE89 ", "::", "+1", "(020)", "fe80:"]
)
def test_a_long_text_takes_linear_time(shard: str) -> None:
    text = shard * (100_000 // len(shard))
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 2
