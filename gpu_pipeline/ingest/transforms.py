"""Transforms: whole columns of a landing file changed, computed and put together.

A value that a transform can't read stays as it is: the contract then rejects its row with a
reason, and nothing vanishes. Every function takes and returns Arrow arrays of equal length.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pac

__all__ = [
    "ARITHMETIC",
    "TEXT_CHANGES",
    "Unit",
    "computed",
    "exchanged",
    "first_of",
    "floats_of",
    "joined",
    "moments_of",
    "numbers_of",
    "part_of",
    "replaced",
    "texts_of",
    "times_of",
]

Column: TypeAlias = pa.Array | pa.ChunkedArray
Unit = Literal["s", "ms", "us", "ns"]

PLAIN_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_SPACE = r"[\s\x{a0}\x{202f}]*"
_CURRENCY = r"(?:[A-Z]{0,3}\p{Sc}|[A-Z]{3}|[Kk]r\.?|Fr\.?|zł|Kč|Ft|lei|Rs\.?)?"
_THOUSANDS_MARKS = {" ": r"[ \x{a0}\x{202f}]", "'": "['\u2019]"}
# 21 digits before the point and 9 behind: products and quotients of two still fit Arrow's widest.
_DECIMAL = pa.decimal256(30, 9)
_DECIMAL_TEXT = r"^[+-]?(\d{1,20}(\.\d*)?|\.\d+)$"
_MICROSECONDS: dict[Unit, str] = {"s": "1000000", "ms": "1000", "us": "1", "ns": "0.001"}
_YEARS_1_TO_9999 = (-62_135_596_800_000_000, 253_402_300_799_999_999)  # microseconds since 1970


def texts_of(column: Column) -> pa.StringArray:
    """The column as texts, in one piece."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole if pa.types.is_string(whole.type) else whole.cast(pa.string())


def floats_of(column: Column) -> pa.DoubleArray:
    """The column as floats; what is no number becomes null."""
    kind = column.type
    if pa.types.is_string(kind):
        text = pac.utf8_trim_whitespace(texts_of(column))
        return _where(pac.match_substring_regex(text, PLAIN_NUMBER), text).cast(pa.float64())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.float64(), safe=False)
    return pa.nulls(len(column), pa.float64())


def first_of(columns: Sequence[Column]) -> pa.StringArray:
    """The first of the columns that has a value, row by row."""
    return pac.coalesce(*map(texts_of, columns))


def joined(columns: Sequence[Column], separator: str) -> pa.StringArray:
    """The columns' texts with the separator between; what is missing is left out."""
    return reduce(lambda left, right: _pair(left, right, separator), map(texts_of, columns))


def _pair(left: pa.StringArray, right: pa.StringArray, separator: str) -> pa.StringArray:
    # Arrow's own skipping of nulls drops rows in which all are null.
    return pac.coalesce(pac.binary_join_element_wise(left, right, separator), left, right)


def part_of(column: Column, separator: str, part: int) -> pa.StringArray:
    """One part of each text, counted from 1, or from -1 at its end.

    A text without so many parts stays whole.
    """
    text = texts_of(column)
    parts = pac.split_pattern(text, separator)
    count = pac.fill_null(pac.list_value_length(parts), 0).to_numpy(zero_copy_only=False)
    place = np.full(len(text), part - 1) if part > 0 else count + part
    exists = (place >= 0) & (place < count)
    start = parts.offsets.to_numpy()[:-1]
    found = parts.values.take(pa.array(start + place, mask=~exists))
    return pac.coalesce(found, text)


def replaced(column: Column, replacements: Mapping[str, str]) -> pa.StringArray:
    """The texts with each piece of text in turn replaced wherever it stands."""
    text = texts_of(column)
    for old, new in replacements.items():
        text = pac.replace_substring(text, old, new)
    return text


def exchanged(
    column: Column, values: Mapping[str, str | None], *, otherwise: str | None
) -> pa.StringArray:
    """Whole values for others; those that are not listed become `otherwise`, or stay."""
    text = texts_of(column)
    place = pac.index_in(text, pa.array(list(values), pa.string()))
    rest = text if otherwise is None else pac.if_else(text.is_valid(), otherwise, text)
    taken = pa.array(list(values.values()), pa.string()).take(place)
    return pac.if_else(place.is_valid(), taken, rest)


def numbers_of(column: Column, *, decimal: str, thousands: str) -> Column:
    """Numbers as people write them, as plain ones: "1.234,50 €" is 1234.50.

    Signs may stand before, behind, or be brackets; currencies before or behind. What is not
    written so stays; where others would take that for a number ("12.5" among decimal commas) it
    comes in quotes, so that nobody does.
    """
    if not pa.types.is_string(column.type):
        return column
    pattern = _number_pattern(decimal, thousands)
    return _by_distinct(column, lambda text: _plain_numbers(text, pattern))


def _number_pattern(decimal: str, thousands: str) -> str:
    mark = _THOUSANDS_MARKS.get(thousands, re.escape(thousands))
    grouped = rf"\d{{1,3}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}|" if thousands else ""
    sign = "[+\u2212-]?"
    return (
        rf"^{_SPACE}(?P<open>\(?)(?P<first>{sign}){_SPACE}{_CURRENCY}{_SPACE}(?P<second>{sign})"
        rf"(?P<whole>{grouped}\d+|)(?:{re.escape(decimal)}(?P<rest>\d*))?"
        rf"{_SPACE}{_CURRENCY}{_SPACE}(?P<last>[\x{{2212}}-]?)(?P<close>\)?){_SPACE}$"
    )


def _plain_numbers(text: pa.StringArray, pattern: str) -> pa.StringArray:
    found = pac.extract_regex(text, pattern)
    piece = {name: pac.struct_field(found, name) for name in found.type.names}
    whole = pac.replace_substring_regex(piece["whole"], r"\D", "")
    signs = pac.binary_join_element_wise(
        *(piece[n] for n in ("open", "first", "second", "last", "close")), ""
    )
    sign = exchanged(signs, _SIGNS, otherwise="?")
    number = pac.binary_join_element_wise(sign, whole, ".", piece["rest"], "")
    number = pac.utf8_rtrim(number, characters=".")
    is_read = pac.match_substring_regex(number, PLAIN_NUMBER)
    misleading = pac.and_(
        pac.match_substring_regex(text, PLAIN_NUMBER), pac.match_substring(text, ".")
    )
    kept = pac.if_else(misleading, pac.binary_join_element_wise('"', text, '"', ""), text)
    return pac.if_else(pac.fill_null(is_read, fill_value=False), number, kept)


_SIGNS = {"": "", "+": "", "-": "-", "\u2212": "-", "()": "-"}


def times_of(column: Column, formats: Sequence[str]) -> Column:
    """Times by the first format that fits, as `datetime.strptime` has them.

    Times where every value is one, else texts: those that were read in ISO 8601. A format with
    an offset (%z) gives UTC.
    """
    if pa.types.is_timestamp(column.type):
        return column
    return _by_distinct(column, lambda text: _times(text, formats))


def _times(text: pa.StringArray, formats: Sequence[str]) -> pa.Array:
    # Arrow's own strptime takes 31 February for 3 March.
    said = pd.Series(pac.utf8_trim_whitespace(text).to_pandas(), dtype="str")
    open_, made = said.notna(), text
    for form in formats:
        read = pd.to_datetime(
            said.where(open_), format=form, errors="coerce", utc="%z" in form, cache=False
        )
        is_new = read.notna()
        times = pa.array(read.astype("datetime64[us, UTC]" if "%z" in form else "datetime64[us]"))
        if bool((is_new | said.isna()).all()):
            return times
        made = pac.if_else(pa.array(is_new), _iso(times), made)
        open_ &= ~is_new
    return made


def moments_of(column: Column, unit: Unit) -> Column:
    """Unix times as moments in UTC; as texts where a value is none."""
    if pa.types.is_timestamp(column.type):
        return column
    count = pac.multiply(_decimals(column), pa.scalar(_MICROSECONDS[unit]).cast(_DECIMAL))
    low, high = (pa.scalar(limit).cast(count.type) for limit in _YEARS_1_TO_9999)
    known = pac.and_(pac.greater_equal(count, low), pac.less_equal(count, high))
    whole = pac.round(_where(known, count), ndigits=0).cast(pa.int64(), safe=False)
    times = whole.cast(pa.timestamp("us", "UTC"))
    if times.null_count == column.null_count:
        return times
    return pac.coalesce(_iso(times), texts_of(column))


def _iso(times: pa.TimestampArray) -> pa.StringArray:
    """As text; those with a zone end in Z."""
    return times.cast(pa.string())


ARITHMETIC: dict[str, tuple[Callable[..., pa.Array], str]] = {
    "add": (pac.add, "+"),
    "subtract": (pac.subtract, "-"),
    "multiply": (pac.multiply, "*"),
    "divide": (pac.divide, "/"),
}


def computed(
    left: Column | str, right: Column | str, *, how: str, digits: int | None
) -> pa.StringArray:
    """Two columns (or a constant) added, …, in exact decimals, as text; missing if one is.

    Numbers have up to 20 digits before the point and 9 behind. `digits` rounds, half away from
    zero. What can't be computed becomes what was asked: "12.00 / 0".
    """
    function, sign = ARITHMETIC[how]
    numbers = [_decimals(side) for side in (left, right)]
    if how == "divide":
        zero = pa.scalar("0").cast(_DECIMAL)
        numbers[1] = _where(pac.not_equal(numbers[1], zero), numbers[1])
    result = function(*numbers)
    if digits is not None:
        result = pac.round(result, ndigits=digits, round_mode="half_towards_infinity")
    texts = [pa.scalar(side) if isinstance(side, str) else texts_of(side) for side in (left, right)]
    asked = pac.binary_join_element_wise(*texts, f" {sign} ")
    return pac.coalesce(_trimmed(result.cast(pa.string())), asked)


def _decimals(side: Column | str) -> pa.Array:
    """Exact decimals; null where there is no number, or one that is too long."""
    if isinstance(side, str):
        return pa.scalar(side).cast(_DECIMAL)
    if pa.types.is_integer(side.type):
        return side.cast(_DECIMAL)
    if pa.types.is_floating(side.type):
        whole = pac.fill_null(pac.less(pac.abs(side), 1e20), fill_value=False)
        return _where(whole, side).cast(_DECIMAL)
    text = pac.utf8_trim_whitespace(texts_of(side))
    number = _where(pac.match_substring_regex(text, _DECIMAL_TEXT), text)
    number = pac.replace_substring_regex(number, r"(\.\d{20})\d+$", r"\1")
    return pac.round(number.cast(pa.decimal256(40, 20)), ndigits=9).cast(_DECIMAL)


def _trimmed(number: pa.StringArray) -> pa.StringArray:
    """Without zeros at the end; Arrow writes zero with its decimals as 0E-18."""
    number = pac.replace_substring_regex(number, r"^-?0E.*$", "0")
    number = pac.replace_substring_regex(number, r"^(-?\d+\.\d*?)0+$", r"\1")
    return pac.utf8_rtrim(number, characters=".")


def _negated(column: Column) -> pa.StringArray:
    """Numbers with the other sign, digit by digit; what is no number stays for the contract."""
    text = pac.utf8_trim_whitespace(texts_of(column))
    unsigned = pac.utf8_ltrim(text, characters="+-")
    turned = pac.if_else(
        pac.starts_with(text, "-"), unsigned, pac.binary_join_element_wise("-", unsigned, "")
    )
    return pac.if_else(pac.match_substring_regex(text, PLAIN_NUMBER), turned, text)


TEXT_CHANGES: dict[str, Callable[[Column], pa.StringArray]] = {
    "strip": lambda c: pac.utf8_trim_whitespace(texts_of(c)),
    "upper": lambda c: pac.utf8_upper(pac.utf8_trim_whitespace(texts_of(c))),
    "lower": lambda c: pac.utf8_lower(pac.utf8_trim_whitespace(texts_of(c))),
    "negate": _negated,
}


def _by_distinct(column: Column, change: Callable[[pa.StringArray], pa.Array]) -> pa.Array:
    """The change made to each distinct text once: prices and days repeat."""
    coded = texts_of(column).dictionary_encode()
    return change(coded.dictionary).take(coded.indices)


def _where(mask: pa.BooleanArray, values: pa.Array) -> pa.Array:
    return pac.if_else(mask, values, None)
