"""Each vectorised transform beside a slow, obvious twin."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.ingest.transforms import (
    computed,
    exchanged,
    first_of,
    joined,
    moments_of,
    numbers_of,
    part_of,
    replaced,
    times_of,
)

GERMAN = partial(numbers_of, decimal=",", thousands=".")
ENGLISH = partial(numbers_of, decimal=".", thousands=",")
SWISS = partial(numbers_of, decimal=".", thousands="'")
FRENCH = partial(numbers_of, decimal=",", thousands=" ")
PLAIN = partial(numbers_of, decimal=".", thousands="")
fast = settings(deadline=None, max_examples=100)


def texts(*values: str | None) -> pa.ChunkedArray:
    """The values in two pieces, as columns of a block come, and the first cut off before."""
    array = pa.array(["9,9", *values], pa.string())
    return pa.chunked_array([array[1:2], array[2:]])


@pytest.mark.parametrize(
    ("read", "said", "number"),
    [
        (GERMAN, "1.234,50", "1234.50"),
        (GERMAN, "1.234.567", "1234567"),
        (GERMAN, " -1.234,50\u00a0€", "-1234.50"),
        (GERMAN, "€ 12,5", "12.5"),
        (GERMAN, "EUR 12", "12"),
        (GERMAN, "12,50-", "-12.50"),
        (GERMAN, "(12,50)", "-12.50"),
        (GERMAN, "\u221212", "-12"),
        (GERMAN, ",5", ".5"),
        (GERMAN, "12,", "12"),
        (ENGLISH, "$1,234.50", "1234.50"),
        (ENGLISH, "US$ 1,234", "1234"),
        (ENGLISH, "-£0.99", "-0.99"),
        (ENGLISH, "£-0.99", "-0.99"),
        (ENGLISH, "12,34,567.8", "1234567.8"),
        (SWISS, "Fr. 1'234.50", "1234.50"),
        (SWISS, "1\u2019234", "1234"),
        (FRENCH, "1\u202f234 567,8 €", "1234567.8"),
        (FRENCH, "1 234,50 zł", "1234.50"),
        (PLAIN, "£2.55", "2.55"),
        (PLAIN, "+7", "7"),
    ],
)
def test_numbers_as_people_write_them(read: object, said: str, number: str) -> None:
    assert callable(read)
    assert read(texts(said, None)).to_pylist() == [number, None]


@pytest.mark.parametrize(
    "said",
    ["", "€", "x12", "12 apples", "1.23", "1.2345,0", "--1", "(1", "-1-", "(-1)", "1,2,3", "1 2"],
)
def test_what_is_no_number_in_that_notation_can_be_taken_for_none(said: str) -> None:
    (kept,) = GERMAN(texts(said)).to_pylist()
    assert kept == (f'"{said}"' if said == "1.23" else said)
    with pytest.raises(ValueError, match="could not convert"):
        float(kept)


def test_numbers_that_are_numbers_stay() -> None:
    column = pa.array([1.5, None])
    assert GERMAN(column) is column


@fast
@given(st.decimals(-(10**9), 10**9, places=2))
def test_every_number_is_read_as_it_was_written(number: Decimal) -> None:
    english = f"{number:,}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert [Decimal(v) for v in ENGLISH(texts(english)).to_pylist()] == [number]
    assert [Decimal(v) for v in GERMAN(texts(german)).to_pylist()] == [number]


AMOUNTS = st.decimals(-(10**7), 10**7, places=4).map(str)
WORDS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


@fast
@given(
    rows=st.lists(
        st.tuples(*[st.one_of(st.none(), st.just("x"), st.just("0"), AMOUNTS)] * 2), min_size=1
    ),
    how=st.sampled_from(sorted(WORDS)),
    digits=st.none() | st.integers(0, 4),
)
def test_arithmetic_is_that_of_decimals(
    rows: list[tuple[str | None, str | None]], how: str, digits: int | None
) -> None:
    if how == "divide" and digits is None:
        digits = 9  # a quotient may have no end
    left, right = (texts(*column) for column in zip(*rows, strict=True))
    made = computed(left, right, how=how, digits=digits).to_pylist()
    assert [_number(value) for value in made] == [_slow(*row, how, digits) for row in rows]


def _number(value: str | None) -> Decimal | str | None:
    try:
        return None if value is None else Decimal(value)
    except ArithmeticError:
        return value


def _slow(left: str | None, right: str | None, how: str, digits: int | None) -> object:
    if left is None or right is None:
        return None
    if "x" in (left, right) or (how == "divide" and not Decimal(right)):
        return f"{left} {WORDS[how]} {right}"
    sides = Decimal(left), Decimal(right)
    functions = {
        "add": Decimal.__add__,
        "subtract": Decimal.__sub__,
        "multiply": Decimal.__mul__,
        "divide": Decimal.__truediv__,
    }
    result = functions[how](*sides)
    if digits is not None:
        result = result.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return result


@pytest.mark.parametrize(
    ("left", "right", "how", "digits", "made"),
    [
        (["10.00"], ["4"], "divide", None, "2.5"),
        (["10"], ["3"], "divide", 2, "3.33"),
        (["0.10"], ["3"], "multiply", None, "0.3"),
        (["-0.005"], ["1"], "multiply", 2, "-0.01"),
        (["1"], ["0"], "divide", 2, "1 / 0"),
        (["0"], ["7"], "divide", None, "0"),
        (["14.850000000000001"], ["2"], "multiply", None, "29.7"),
        (["1" * 30], ["2"], "multiply", None, f"{'1' * 30} * 2"),
        ([0.1], [3], "multiply", None, "0.3"),
        ([2.55], ["x"], "add", None, "2.55 + x"),
        ([float("inf")], [1], "add", None, "inf + 1"),
        (["5"], "100", "divide", None, "0.05"),
        ("1.2", ["5"], "multiply", None, "6"),
    ],
)
def test_arithmetic_on_columns_of_any_kind(
    left: list[object] | str, right: list[object] | str, how: str, digits: int | None, made: str
) -> None:
    sides = [side if isinstance(side, str) else pa.array(side) for side in (left, right)]
    assert computed(*sides, how=how, digits=digits).to_pylist() == [made]


FORMATS = ("%d/%m/%Y %H:%M", "%d.%m.%y", "%Y%m%d")


@fast
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.sampled_from(["31/02/2011 08:00", "1/2/2011 8:05", "x", "01.02.11 ", "2011-02-01"]),
            st.datetimes(datetime(1970, 1, 1), datetime(2060, 1, 1)).map(  # noqa: DTZ001
                lambda t: t.strftime(FORMATS[t.second % 3])
            ),
        )
    )
)
def test_times_are_those_of_strptime_by_the_first_format_that_fits(said: list[str | None]) -> None:
    column = times_of(texts(*said), FORMATS)
    made = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        assert made == [None if text is None else _time(text) for text in said]
    else:
        wanted = [None if text is None else (_time(text) or text) for text in said]
        assert [_iso(value) for value in made] == wanted


def _time(text: str) -> datetime | None:
    for form in FORMATS:
        try:
            return datetime.strptime(text.strip(), form)  # noqa: DTZ007
        except ValueError:
            continue
    return None


def _iso(text: str | None) -> object:
    try:
        return datetime.fromisoformat(text) if text and ":" in text[10:] else text
    except ValueError:
        return text


def test_a_format_with_an_offset_gives_utc() -> None:
    formats = ("%d/%m/%Y %H:%M %z", "%d/%m/%Y")
    column = times_of(texts("01/02/2011 08:00 +0200"), formats)
    assert column.to_pylist() == [datetime(2011, 2, 1, 6, tzinfo=UTC)]
    both = times_of(texts("01/02/2011 08:00 +0200", "02/02/2011", "soon"), formats)
    assert both.to_pylist() == ["2011-02-01 06:00:00.000000Z", "2011-02-02 00:00:00.000000", "soon"]


@pytest.mark.parametrize(
    ("unit", "values", "micros"),
    [
        ("s", ["1441939815", "1441939815.25", "-1", None], [1441939815e6, 1441939815.25e6, -1e6]),
        ("ms", ["1441939815123"], [1441939815123e3]),
        ("us", ["1441939815123456"], [1441939815123456]),
        ("ns", ["1441939815123456789"], [1441939815123457]),
        ("s", [1441939815, None], [1441939815e6]),
        ("s", [1441939815.5], [1441939815.5e6]),
    ],
)
def test_unix_times(unit: str, values: list[object], micros: list[float]) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    made = moments_of(pa.array(values), unit).to_pylist()  # type: ignore[arg-type]
    wanted = [epoch + timedelta(microseconds=count) for count in micros]
    assert made == wanted + [None] * (len(values) - len(wanted))


def test_what_is_no_unix_time_stays() -> None:
    # Milliseconds taken for seconds would lie past the year 9999.
    said = ["1441939815", "1441939815123", "soon", None]
    made = ["2015-09-11 02:50:15.000000Z", "1441939815123", "soon", None]
    assert moments_of(texts(*said), "s").to_pylist() == made


LETTERS = st.text("a/ü-", max_size=6)


@fast
@given(
    rows=st.lists(st.none() | LETTERS),
    separator=st.sampled_from(["/", "-", "a/"]),
    part=st.integers(-3, 3).filter(bool),
)
def test_parts_are_those_of_split(rows: list[str | None], separator: str, part: int) -> None:
    def slow(text: str) -> str:
        parts = text.split(separator)
        place = part - 1 if part > 0 else len(parts) + part
        return parts[place] if 0 <= place < len(parts) else text

    made = part_of(texts(*rows), separator, part).to_pylist()
    assert made == [None if row is None else slow(row) for row in rows]


@fast
@given(
    st.lists(st.tuples(*[st.none() | LETTERS] * 3), min_size=1), st.sampled_from(["", " ", "--"])
)
def test_columns_are_joined_and_the_first_value_found(
    rows: list[tuple[str | None, ...]], separator: str
) -> None:
    columns = [texts(*column) for column in zip(*rows, strict=True)]
    said = [[value for value in row if value is not None] for row in rows]
    wanted = [separator.join(values) if values else None for values in said]
    assert joined(columns, separator).to_pylist() == wanted
    assert first_of(columns).to_pylist() == [values[0] if values else None for values in said]


def test_values_are_exchanged_whole_and_pieces_wherever_they_stand() -> None:
    column = texts("Y", "N", "y", None, "YN")
    values = {"Y": "true", "N": None}
    assert exchanged(column, values, otherwise=None).to_pylist() == ["true", None, "y", None, "YN"]
    made = exchanged(column, values, otherwise="false").to_pylist()
    assert made == ["true", None, "false", None, "false"]
    made = replaced(column, {"Y": "N", "N": "-"}).to_pylist()
    assert made == ["-", "-", "y", None, "--"]
