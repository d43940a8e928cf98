"""Raw rows to typed ones: cast, check, pseudonymise, redact; all faults of a row are kept."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.contracts import Column, Contract
from gpu_pipeline.ingest.reading import Block, BrokenRow
from gpu_pipeline.kernels import mixed_hash
from gpu_pipeline.money import MINOR_DIGITS, USUAL_DIGITS
from gpu_pipeline.privacy import as_hex, keys_of, redact, redacted, token

__all__ = ["UNNUMBERED", "TypedRows", "refused_rows", "row_hashes", "typed_rows"]

UNNUMBERED = -(2**63)  # the row number of a row that brings none; no source can say it
_EXACT_FLOAT = 2.0**53
_EXACT_PRODUCT = 2.0**49  # below, two roundings are far from half a unit
_BLANK = " \t\n\v\f\r"
_NO_CODE = "[^0-9A-Za-z._/#-]"
_TRUE, _FALSE = ("true", "1", "yes", "t", "y"), ("false", "0", "no", "f", "n")
_LINE_KIND = "line"


@dataclass(frozen=True)
class TypedRows:
    """A block after its contract: rows with the contract's columns, and the rejected ones."""

    accepted: Frame
    rejected: Frame


Cast = Callable[[Series, "Casting"], tuple[Series, str]]


@dataclass(frozen=True)
class Casting:
    """What a cast may need besides the values."""

    column: Column
    currency: Series | None
    time_zone: str
    backend: Backend


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

    A row that breaks a rule is rejected with every rule it breaks; a broken one with its reason.
    """
    raw = backend.from_arrow(block.table)
    made: dict[str, Series] = {}
    reasons = backend.frames.Series([""] * len(raw), index=raw.index, dtype="str")
    for column in contract.columns:
        if column.name in ("key_kind", "file_no", "line"):
            continue
        if column.pseudonyms:
            made["customer_key"], made["key_kind"] = keys_of(
                raw, column.pseudonyms, key=key, backend=backend
            )
            named = " or ".join(way.of for way in column.pseudonyms)
            faults = [(f"{named}: missing", made["key_kind"].isna())]
        else:
            made[column.name], faults = _typed(raw, column, time_zone, backend)
        reasons = _noted(reasons, faults)
    good = reasons == ""
    lines = backend.frames.Series(backend.xp.asarray(block.lines), index=raw.index)
    frame = backend.frames.DataFrame(made).assign(file_no=file_no, line=lines)
    if not contract.bucketed:
        frame = frame.assign(customer_key=0, key_kind=None)
    for column in contract.columns:
        if _is_free_text(column):
            frame[column.name] = redacted(frame[column.name], backend=backend)
    return TypedRows(
        accepted=backend.cast(frame[good], contract),
        rejected=_rejected(
            raw[~good],
            frame[~good],
            reasons[~good],
            block.broken,
            contract,
            file_no=file_no,
            key=key,
            backend=backend,
        ),
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
    """A hash of what a row says, its provenance and number left out; the same on every device."""
    columns: list[Array] = []
    for column in contract.columns:
        if column.name in ("file_no", "line") or column.row_number:
            continue
        values = frame[column.name]
        columns.append(
            backend.as_bits(backend.sha64(values) if column.type == "string" else values)
        )
    return backend.frames.Series(mixed_hash(columns, backend.xp), index=frame.index)


def _typed(
    raw: Frame, column: Column, time_zone: str, backend: Backend
) -> tuple[Series, list[tuple[str, Series]]]:
    """The column in its type and, as (reason, mask), what is wrong with it."""
    if column.name not in raw.columns:
        raw = raw.assign(**{column.name: None})
    values = _blank_to_null(raw[column.name])
    absent = values.isna()
    currency = _blank_to_null(raw[column.money]) if column.money in raw.columns else None
    typed, expected = _CASTS[column.type](values, Casting(column, currency, time_zone, backend))
    unread = typed.isna() & ~absent
    faults = [(f"{column.name}: not {expected}", unread)]
    filling = UNNUMBERED if column.row_number else column.default
    if filling is not None:
        typed = typed.fillna(filling)
    elif column.required:
        faults.append((f"{column.name}: missing", absent))
    broken = _checks(typed, column, backend)
    faults += [(reason, mask & ~unread & ~absent) for reason, mask in broken]
    if column.type in ("int64", "bool"):
        typed = typed.fillna(0)  # rejected rows alone; a null would turn the column into floats
    return typed, faults


def _checks(values: Series, column: Column, backend: Backend) -> list[tuple[str, Series]]:
    faults = []
    if column.minimum is not None:
        faults.append((f"{column.name}: below {column.minimum:g}", values < column.minimum))
    if column.maximum is not None:
        faults.append((f"{column.name}: above {column.maximum:g}", values > column.maximum))
    if column.above is not None:
        faults.append((f"{column.name}: not above {column.above:g}", values <= column.above))
    if column.allowed:
        known = values.isin(list(column.allowed))
        faults.append((f"{column.name}: not one of {', '.join(column.allowed)}", ~known))
    if column.pattern is not None:
        fits = values.str.contains(column.pattern, regex=True).fillna(value=False)
        faults.append((f"{column.name}: not like {column.pattern}", ~fits.astype("bool")))
    if _is_id(column):
        faults.append((f"{column.name}: an address or number of a person", _names(values, backend)))
    return faults


def _names(values: Series, backend: Backend) -> Series:
    """Which ids are an e-mail address, phone number, …; bare letters and digits never are."""
    odd = values.str.contains(_NO_CODE, regex=True).fillna(value=False).astype("bool")
    if not bool(odd.any()):
        return odd
    some = values.where(odd, "")
    return redacted(some, backend=backend) != some


def _is_free_text(column: Column) -> bool:
    """Whether anything may stand there: identifiers in it are redacted."""
    is_bound = bool(column.allowed or column.pattern) or _is_id(column)
    return column.redacted or (column.type == "string" and not is_bound)


def _is_id(column: Column) -> bool:
    """Whether it names a thing: digits in it are no phone number."""
    is_key = column.key_position is not None and not column.pattern
    return column.type == "string" and (is_key or column.name.endswith("_id"))


def _noted(reasons: Series, faults: list[tuple[str, Series]]) -> Series:
    for reason, mask in faults:
        if bool(mask.any()):
            before = reasons.where(reasons == "", reasons + "; ")
            reasons = reasons.where(~mask, before + reason)
    return reasons


def _blank_to_null(values: Series) -> Series:
    if values.dtype.kind not in "OU" and str(values.dtype) not in ("str", "string"):
        return values
    text = values.astype("str").str.strip(_BLANK)
    return text.where(text != "", None)


def _as_string(values: Series, _: Casting) -> tuple[Series, str]:
    return values.astype("str"), "text"


def _as_float(values: Series, casting: Casting) -> tuple[Series, str]:
    numbers = casting.backend.frames.to_numeric(values, errors="coerce").astype("float64")
    return numbers.where(abs(numbers) < np.inf, np.nan), "a number"


def _as_int(values: Series, casting: Casting) -> tuple[Series, str]:
    if casting.column.money is not None:
        return _as_minor_units(values, casting)
    numbers = _as_float(values, casting)[0]
    whole = (numbers % 1 == 0) & (abs(numbers) < _EXACT_FLOAT)
    return numbers.where(whole, np.nan), "a whole number"


def _as_minor_units(values: Series, casting: Casting) -> tuple[Series, str]:
    numbers = _as_float(values, casting)[0]
    scale: Series | float = 100.0
    if casting.currency is not None:
        decimals = casting.currency.map(MINOR_DIGITS).fillna(USUAL_DIGITS)
        scale = 10.0**decimals
    scaled = numbers * scale
    units = scaled.round()
    # Prices such as 0.001 would vanish: they are refused, not rounded. What floats add is noise.
    exact = abs(units - scaled) <= 1e-6 + abs(units) * 2.0**-51
    exact &= abs(units) < _EXACT_PRODUCT
    return units.where(exact, np.nan), "an amount in the currency's minor units"


def _as_time(values: Series, casting: Casting) -> tuple[Series, str]:
    return casting.backend.to_times(values, time_zone=casting.time_zone), "a time"


def _as_bool(values: Series, _: Casting) -> tuple[Series, str]:
    if values.dtype.kind == "b":
        return values.astype("float64"), "true or false"
    text = values.astype("str").str.lower()
    number = text.isin(list(_TRUE)).astype("float64")
    return number.where(text.isin([*_TRUE, *_FALSE]), np.nan), "true or false"


_CASTS: dict[str, Cast] = {
    "string": _as_string,
    "int64": _as_int,
    "float64": _as_float,
    "timestamp": _as_time,
    "bool": _as_bool,
}


def _rejected(
    raw: Frame,
    typed: Frame,
    reasons: Series,
    broken: list[BrokenRow],
    contract: Contract,
    *,
    file_no: int,
    key: str,
    backend: Backend,
) -> Frame:
    """Rejected rows as the contract's rejected table wants them; few, so made on the host."""
    facts = typed[["line", "customer_key", "key_kind"]].assign(reasons=reasons)
    host = backend.to_pandas(facts).reset_index(drop=True)
    values = backend.to_pandas(raw).to_dict("records")
    host["row_values"] = [_evidence(row, contract, key) for row in values]
    host = _with_broken(host, broken, key)
    host = _with_somebody(host.assign(file_no=file_no), key)
    return backend.cast(backend.from_pandas(host), contract.rejected())


def _with_broken(host: pd.DataFrame, broken: list[BrokenRow], key: str) -> pd.DataFrame:
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
    own = [token(f"{file_no}:{line}", key=key, kind=_LINE_KIND) for file_no, line in places]
    mine = pd.Series(own, dtype="int64", index=host.index)
    return host.assign(
        customer_key=host["customer_key"].where(~nobody, mine),
        key_kind=host["key_kind"].where(~nobody, "guest"),
    )


def _evidence(row: Mapping[Any, Any], contract: Contract, key: str) -> str:
    """A rejected row as JSON: people as pseudonyms, identifiers in any text redacted."""
    kinds = {way.of: way.kind for column in contract.columns for way in column.pseudonyms}
    shown: dict[str, object] = {}
    for name, value in row.items():
        if value is None or value != value:
            continue
        text = str(value)
        hidden = name in kinds and name not in contract.names
        shown[name] = as_hex(token(text, key=key, kind=kinds[name])) if hidden else redact(text)
    return json.dumps(shown, ensure_ascii=False)
