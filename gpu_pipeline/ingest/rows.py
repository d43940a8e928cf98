"""Raw rows to typed ones: cast, check, pseudonymise, redact; all faults of a row are kept.

Texts that repeat (kinds, channels, products) are worked on once for each distinct value, and
numbers and times are read whole columns at a time; a value that no fast way reads goes the slow,
careful one.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.contracts import Column, Contract, Rule
from gpu_pipeline.ingest.reading import Block, BrokenRow
from gpu_pipeline.kernels import mixed_hash
from gpu_pipeline.money import USUAL_DIGITS, minor_digits_of
from gpu_pipeline.privacy import as_hex, keys_of, redacted, redacted_with_counts, token, tokens
from gpu_pipeline.quality.checks import Faults, column_faults, presence_faults, row_faults

__all__ = ["UNNUMBERED", "TypedRows", "refused_rows", "row_hashes", "typed_rows"]

UNNUMBERED = -(2**63)  # the row number of a row that brings none; no source can say it
_EXACT_FLOAT = 2.0**53
_EXACT_PRODUCT = 2.0**49  # below, two roundings are far from half a unit
_BLANK = " \t\n\v\f\r"
_TRUE, _FALSE = ("true", "1", "yes", "t", "y"), ("false", "0", "no", "f", "n")
_LINE_KIND = "line"
_MADE_LATER = ("key_kind", "file_no", "line")


@dataclass(frozen=True)
class TypedRows:
    """A block after its contract: rows with the contract's columns, and the rejected ones.

    `failed` says how many rows broke each rule that any row broke, those that only warn included;
    `redacted` how many identifiers of people were taken out of texts, by kind.
    """

    accepted: Frame
    rejected: Frame
    failed: Mapping[Rule, int]
    redacted: Mapping[str, int]


@dataclass(frozen=True)
class Typing:
    """What typing a column may need besides its values, and what it counts."""

    contract: Contract
    key: str
    time_zone: str
    backend: Backend
    redacted: Counter[str] = field(default_factory=Counter)

    def rules_of(self, *columns: str) -> tuple[Rule, ...]:
        """The rules about exactly these columns."""
        return tuple(rule for rule in self.contract.rules if rule.columns == columns)


# A column in its type, null where there is nothing to read, and which rows brought nothing.
Read = tuple[Series, Series]


def typed_rows(
    block: Block,
    contract: Contract,
    *,
    file_no: int,
    key: str,
    time_zone: str,
    backend: Backend,
) -> TypedRows:
    """The rows of a block with landing columns as `contract` wants them.

    A row that breaks a rule which rejects is rejected with every such rule it breaks; one without
    the structure of its file with its reason.
    """
    raw = backend.from_arrow(block.table)
    typing = Typing(contract, key, time_zone, backend)
    frame, faults = _typed_frame(raw, typing)
    lines = backend.frames.Series(backend.xp.asarray(block.lines), index=raw.index)
    frame = frame.assign(file_no=file_no, line=lines)
    failed = {rule: int(mask.sum()) for rule, mask in faults}
    refusing = [(rule, mask) for rule, mask in faults if failed[rule] and rule.severity != "warn"]
    is_bad = _any([mask for _, mask in refusing], raw, backend)
    rejected = _rejected(
        raw[is_bad],
        frame[is_bad],
        [(rule, mask[is_bad]) for rule, mask in refusing],
        block.broken,
        file_no,
        typing,
    )
    return TypedRows(
        accepted=backend.cast(frame[~is_bad] if refusing else frame, contract),
        rejected=backend.cast(rejected, contract.rejected()),
        failed={rule: count for rule, count in failed.items() if count},
        redacted=typing.redacted,
    )


def refused_rows(
    frame: Frame, reason: str, contract: Contract, *, key: str, backend: Backend
) -> Frame:
    """Typed rows as the contract's rejected table wants them, all with the same reason."""
    rejected = contract.rejected()
    if not len(frame):
        return backend.empty(rejected)
    host = backend.to_pandas(frame)
    if not contract.bucketed:
        host = host.assign(customer_key=0, key_kind=None)
    said = [name for name in contract.names if name not in ("customer_key", "file_no", "line")]
    values = host[said].to_json(orient="records", lines=True, date_format="iso").splitlines()
    host = _with_somebody(host.assign(reasons=reason, row_values=values), key)
    return backend.cast(backend.from_pandas(host), rejected)


def row_hashes(frame: Frame, contract: Contract, backend: Backend) -> Series:
    """A hash of what a row says; the same on every device.

    Left out are its provenance and number, and whose it is: another key of the lake changes that.
    """
    columns: list[Array] = []
    for column in contract.columns:
        if column.name in ("file_no", "line", "customer_key") or column.row_number:
            continue
        values = frame[column.name]
        columns.append(
            backend.as_bits(backend.sha64(values) if column.type == "string" else values)
        )
    return backend.frames.Series(mixed_hash(columns, backend.xp), index=frame.index)


def _typed_frame(raw: Frame, typing: Typing) -> tuple[Frame, Faults]:
    """The columns that a landing file brings, in the contract's types, and what is wrong."""
    backend, made, unfit = typing.backend, dict[str, Series](), dict[str, Series]()
    faults: Faults = []
    for column in typing.contract.columns:
        if column.name in _MADE_LATER:
            continue
        if column.pseudonyms:
            made["customer_key"], made["key_kind"] = keys_of(
                raw, column.pseudonyms, key=typing.key, backend=backend
            )
            ways = tuple(way.of for way in column.pseudonyms)
            faults += [(rule, made["key_kind"].isna()) for rule in typing.rules_of(*ways)]
            continue
        made[column.name], found = _typed(raw, column, typing)
        faults += found
        refusing = [mask for rule, mask in found if rule.severity != "warn"]
        if refusing:
            unfit[column.name] = _any(refusing, raw, backend)
    frame = backend.frames.DataFrame(made)
    faults += row_faults(frame, typing.contract, unfit=unfit)
    if not typing.contract.bucketed:
        frame = frame.assign(customer_key=0, key_kind=None)
    return frame, faults


def _typed(raw: Frame, column: Column, typing: Typing) -> tuple[Series, Faults]:
    """The column in its type, without identifiers of people, and what is wrong with it."""
    backend, rules = typing.backend, typing.rules_of(column.name)
    if column.name in raw.columns:
        values = raw[column.name]
    else:
        values = backend.frames.Series([None] * len(raw), index=raw.index, dtype="str")
    if column.type == "string":
        # Keys and what people wrote hardly repeat: they are taken as they are.
        repeats = column.key_position is None and not column.redacted
        work = _distinct_text if repeats else _text
        return work(values.astype("str"), column, rules, typing)
    currency = raw[column.money] if column.money in raw.columns else None
    typed, absent = _READERS[column.type](values, column, currency, typing)
    faults = presence_faults(typed, absent, rules)
    filling = UNNUMBERED if column.row_number else column.default
    if filling is not None:
        typed = typed.where(~absent, filling)
    faults += column_faults(typed, rules, backend=backend)
    if column.type in ("int64", "bool"):
        typed = typed.fillna(0)  # rejected rows alone; a null would turn the column into floats
    return typed, faults


def _text(
    values: Series, column: Column, rules: Sequence[Rule], typing: Typing
) -> tuple[Series, Faults]:
    """Texts without blanks around them, blank ones null; the same object where nothing changed."""
    backend = typing.backend
    text = _trimmed(values) if _has_blanks(values, backend) else values
    faults = presence_faults(text, text.isna(), rules)
    faults += column_faults(text, rules, backend=backend)
    if column.default is not None:
        text = text.fillna(column.default)
    if column.is_free_text:
        text, counts = redacted_with_counts(text, backend=backend)
        typing.redacted.update(counts)
    return text, faults


def _distinct_text(
    values: Series, column: Column, rules: Sequence[Rule], typing: Typing
) -> tuple[Series, Faults]:
    """The same, where each distinct text is looked at once; null stands behind them."""
    backend, xp = typing.backend, typing.backend.xp
    codes, distinct = values.factorize()
    null = backend.frames.Series([None], dtype="str")
    few = backend.frames.concat([backend.frames.Series(distinct), null], ignore_index=True)
    clean, faults = _text(few, column, rules, typing)
    place = xp.where(xp.asarray(codes) < 0, len(few) - 1, xp.asarray(codes))
    whole = values
    if clean is not few:
        whole = clean.take(place)
        whole.index = values.index
    spread = [
        (rule, backend.frames.Series(xp.asarray(mask.values)[place], index=values.index))
        for rule, mask in faults
        if bool(mask.any())
    ]
    return whole, spread


def _has_blanks(values: Series, backend: Backend) -> bool:
    """Whether there may be anything to trim: every blank has a code of 32 or less."""
    data, lengths = backend.utf8(values)
    return bool((data <= 32).any()) or bool((lengths == 0).sum() > int(values.isna().sum()))


def _trimmed(values: Series) -> Series:
    text = values.astype("str").str.strip(_BLANK)
    return text.where(text != "", None)


def _is_text(values: Series) -> bool:
    return values.dtype.kind in "OU" or str(values.dtype) in ("str", "string")


def _read_float(values: Series, _: Column, __: Series | None, typing: Typing) -> Read:
    numbers: Series | None = values
    if _is_text(values):
        numbers = typing.backend.plain_numbers(values)
    if numbers is None:
        values = _trimmed(values)
        numbers = typing.backend.frames.to_numeric(values, errors="coerce")
    numbers = numbers.astype("float64")
    return numbers.where(abs(numbers) < np.inf, np.nan), values.isna()


def _read_int(values: Series, column: Column, currency: Series | None, typing: Typing) -> Read:
    numbers, absent = _read_float(values, column, None, typing)
    if column.money is not None:
        return _minor_units(numbers, currency, typing.backend), absent
    whole = (numbers % 1 == 0) & (abs(numbers) < _EXACT_FLOAT)
    return numbers.where(whole, np.nan), absent


def _minor_units(numbers: Series, currency: Series | None, backend: Backend) -> Series:
    scaled = numbers * (100.0 if currency is None else _scales(currency, backend))
    units = scaled.round()
    # Prices such as 0.001 would vanish: they are refused, not rounded. What floats add is noise.
    exact = abs(units - scaled) <= 1e-6 + abs(units) * 2.0**-51
    exact &= abs(units) < _EXACT_PRODUCT
    return units.where(exact, np.nan)


def _scales(currency: Series, backend: Backend) -> Series:
    """How many minor units one unit of each row's currency has."""
    codes, distinct = currency.astype("str").factorize()
    names = backend.frames.Series(distinct).str.strip(_BLANK)
    digits = minor_digits_of(names)
    table = backend.xp.append(10.0 ** backend.xp.asarray(digits.values), 10.0**USUAL_DIGITS)
    return backend.frames.Series(table[backend.xp.asarray(codes)], index=currency.index)


def _read_time(values: Series, _: Column, __: Series | None, typing: Typing) -> Read:
    times = typing.backend.to_times(values, time_zone=typing.time_zone)
    absent, missed = values.isna(), times.isna() & values.notna()
    if _is_text(values) and bool(missed.any()):
        some = _trimmed(values[missed])
        absent[missed] = some.isna()
        times[missed] = typing.backend.to_times(some, time_zone=typing.time_zone)
    return times, absent


def _read_bool(values: Series, _: Column, __: Series | None, ___: Typing) -> Read:
    if values.dtype.kind == "b":
        return values.astype("float64"), values.isna()
    values = _trimmed(values)
    text = values.str.lower()
    number = text.isin(list(_TRUE)).astype("float64")
    return number.where(text.isin([*_TRUE, *_FALSE]), np.nan), values.isna()


_READERS: dict[str, Callable[[Series, Column, Series | None, Typing], Read]] = {
    "int64": _read_int,
    "float64": _read_float,
    "timestamp": _read_time,
    "bool": _read_bool,
}


def _any(masks: Sequence[Series], frame: Frame, backend: Backend) -> Series:
    """The rows that any mask has."""
    found = backend.xp.zeros(len(frame), dtype=bool)
    for mask in masks:
        found |= backend.xp.asarray(mask.values)
    return backend.frames.Series(found, index=frame.index)


def _rejected(
    raw: Frame,
    typed: Frame,
    faults: Faults,
    broken: Sequence[BrokenRow],
    file_no: int,
    typing: Typing,
) -> Frame:
    """Rejected rows with their reasons and values; few, so made on the host."""
    backend = typing.backend
    if not len(raw) and not broken:
        return backend.empty(typing.contract.rejected())
    host = backend.to_pandas(typed[["line", "customer_key", "key_kind"]]).reset_index(drop=True)
    host = host.assign(
        reasons=_reasons(len(host), faults, backend), row_values=_evidence(raw, typed, typing)
    )
    host = _with_broken(host, broken, typing.key).assign(file_no=file_no)
    return backend.from_pandas(_with_somebody(host, typing.key))


def _reasons(rows: int, faults: Faults, backend: Backend) -> list[str]:
    """What is wrong with each row, in the order of the rules."""
    found: list[list[str]] = [[] for _ in range(rows)]
    for rule, mask in faults:
        for row in np.flatnonzero(backend.to_host(mask)):
            found[row].append(rule.reason)
    return ["; ".join(reasons) for reasons in found]


def _evidence(raw: Frame, typed: Frame, typing: Typing) -> list[str]:
    """Rejected rows as JSON: people as pseudonyms, identifiers in any text redacted."""
    contract, backend = typing.contract, typing.backend
    kinds = {way.of: way.kind for column in contract.columns for way in column.pseudonyms}
    said: dict[str, list[str | None]] = {}
    for name in raw.columns:
        texts = raw[name].astype("str")
        if name in kinds and name not in contract.names:
            keys = tokens(texts, key=typing.key, kind=kinds[name], backend=backend)
            shown = [as_hex(key) for key in backend.to_host(keys).tolist()]
        else:
            # All digits and dashes, times would be looked at one by one; one that was read is one.
            is_time = name in contract.names and contract[name].type == "timestamp"
            doubtful = texts.where(typed[name].isna(), None) if is_time else texts
            clean = redacted(doubtful, backend=backend)
            clean = clean.where(doubtful.notna(), texts) if is_time else clean
            shown = backend.to_pandas(clean.to_frame("text"))["text"].tolist()
        absent = backend.to_host(texts.isna()).tolist()
        said[name] = [None if no else one for one, no in zip(shown, absent, strict=True)]
    rows = zip(*said.values(), strict=True) if said else ((),) * len(raw)
    return [
        json.dumps(
            {n: value for n, value in zip(said, row, strict=True) if value is not None},
            ensure_ascii=False,
        )
        for row in rows
    ]


def _with_broken(host: pd.DataFrame, broken: Sequence[BrokenRow], key: str) -> pd.DataFrame:
    if not broken:
        return host
    structureless = {
        "line": [row.line for row in broken],
        "customer_key": 0,
        "key_kind": None,
        "reasons": [row.reason for row in broken],
        "row_values": [as_hex(token(row.text, key=key, kind=_LINE_KIND)) for row in broken],
    }
    return pd.concat([host, pd.DataFrame(structureless)], ignore_index=True)


def _with_somebody(host: pd.DataFrame, key: str) -> pd.DataFrame:
    """A row that names nobody stands under a pseudonym of its own."""
    nobody = host["key_kind"].isna()
    places = zip(host["file_no"], host["line"], strict=True)
    own = [
        token(f"{file_no}:{line}", key=key, kind=_LINE_KIND) if mine else 0
        for (file_no, line), mine in zip(places, nobody, strict=True)
    ]
    mine = pd.Series(own, dtype="int64", index=host.index)
    return host.assign(
        customer_key=host["customer_key"].where(~nobody, mine),
        key_kind=host["key_kind"].where(~nobody, "guest"),
    )
