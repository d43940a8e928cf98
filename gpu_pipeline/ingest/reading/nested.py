"""Nested values by path: ``user.address.country``, ``items[0].sku``.

A column whose name is the whole path comes before what lies inside of others.
"""

import json
import re
from collections.abc import Iterable
from functools import cache

import pyarrow as pa
import pyarrow.compute as pac

__all__ = ["JSON", "Number", "as_text", "paths_into", "steps", "value_at", "with_paths"]

_PATH = re.compile(r"[^.\[\]]+(?:\.[^.\[\]]+|\[\d+\])+")
_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")


class Number(str):
    """A number of a JSON document as it is written there: 19.90 stays 19.90."""

    __slots__ = ()


JSON = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number)


def paths_into(names: Iterable[str], fields: Iterable[str] | None) -> list[str]:
    """Those of the fields that are no column themselves, and start with one."""
    columns = set(names)
    return [f for f in fields or () if f not in columns and steps(f)[0] in columns]


@cache
def steps(path: str) -> tuple[str | int, ...]:
    """The way from a row to the value; a name that is no path is one step.

    >>> steps("items[0].sku")
    ('items', 0, 'sku')
    """
    if not _PATH.fullmatch(path):
        return (path,)
    return tuple(int(step[1:-1]) if step[0] == "[" else step for step in _STEP.findall(path))


def value_at(value: object, way: Iterable[str | int]) -> object:
    """What lies at the end of the way; None where nothing does."""
    for step in way:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def as_text(value: object) -> str | None:
    """A value of a JSON document as text; objects and lists as JSON. Blank is missing."""
    if isinstance(value, str):
        return value or None
    return None if value is None else _written(value)


def with_paths(table: pa.Table, paths: Iterable[str]) -> pa.Table:
    """The table with a column for each path, out of nested columns or out of JSON in text."""
    for path in paths:
        root, *way = steps(path)
        column = table[str(root)].combine_chunks()
        made = _of_json if pa.types.is_string(column.type) else _of_nested
        table = table.append_column(path, made(column, way))
    return table


def _of_json(column: pa.StringArray, way: list[str | int]) -> pa.Array:
    return pa.array([_found(text, way) for text in column.to_pylist()], pa.string())


def _found(text: str | None, way: list[str | int]) -> str | None:
    """What lies there; a text that is no JSON stays, for the contract to refuse."""
    try:
        return as_text(value_at(JSON.decode(text), way)) if text else None
    except (ValueError, RecursionError):
        return text


def _of_nested(column: pa.Array, way: list[str | int]) -> pa.Array:
    for step in way:
        kind = column.type
        if isinstance(step, int) and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            one = pac.list_slice(column, step, step + 1, return_fixed_size_list=True)
            column = one.values
        elif isinstance(step, str) and pa.types.is_struct(kind) and kind.get_field_index(step) >= 0:
            column = pac.struct_field(column, step)
        else:
            return pa.nulls(len(column), pa.string())
    return column


def _written(value: object) -> str:
    """The value as JSON, with the numbers as they were written."""
    if isinstance(value, Number):
        return value
    if isinstance(value, dict):
        items = (f"{json.dumps(k, ensure_ascii=False)}: {_written(v)}" for k, v in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value, ensure_ascii=False)
