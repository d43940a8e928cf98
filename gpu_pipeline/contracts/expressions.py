"""Expressions over the columns of a row: what a rule may say, checked before any row is seen.

Python's own syntax, of which only this is allowed: names of columns, numbers, texts, `+ - *`,
comparisons, `and`, `or`, `not`, and the functions `abs(number)`, `day(time)` (its midnight),
`days(30)` and `hours(1.5)`. Nothing is ever handed to the interpreter.
"""

import ast
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Literal

from gpu_pipeline.errors import ContractError

__all__ = ["DURATIONS", "Kind", "checked", "columns_of", "tree_of"]

Kind = Literal["number", "text", "time", "duration", "truth"]

# The functions that make a duration, with the microseconds of one unit.
DURATIONS = {"days": 86_400_000_000, "hours": 3_600_000_000}
_FUNCTIONS: dict[str, tuple[Kind, Kind]] = {"abs": ("number", "number"), "day": ("time", "time")}
_KINDS: dict[str, Kind] = {
    "string": "text",
    "int64": "number",
    "float64": "number",
    "timestamp": "time",
    "bool": "truth",
}
_SUMS: dict[tuple[Kind, type[ast.operator], Kind], Kind] = {
    ("number", ast.Add, "number"): "number",
    ("number", ast.Sub, "number"): "number",
    ("number", ast.Mult, "number"): "number",
    ("duration", ast.Mult, "number"): "duration",
    ("duration", ast.Add, "duration"): "duration",
    ("duration", ast.Sub, "duration"): "duration",
    ("time", ast.Add, "duration"): "time",
    ("time", ast.Sub, "duration"): "time",
    ("time", ast.Sub, "time"): "duration",
}
_EQUAL = (ast.Eq, ast.NotEq)
_ORDERED = (*_EQUAL, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_LONGEST = 500  # characters


@cache
def tree_of(text: str) -> ast.expr:
    """The expression as Python's syntax tree.

    Raises:
        ContractError: it is no expression, or too long to be one.
    """
    if len(text) > _LONGEST:
        message = f"an expression of {len(text)} characters, {_LONGEST} are allowed"
        raise ContractError(message)
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        message = f"{text!r} is no expression"
        raise ContractError(message) from error


def columns_of(text: str) -> tuple[str, ...]:
    """The columns that the expression names, in order of appearance."""
    return tuple(dict.fromkeys(_names(tree_of(text))))


def checked(text: str, types: Mapping[str, str]) -> str:
    """The text itself, where it is a condition over columns of these types.

    Raises:
        ContractError: what is wrong with it, and what is allowed.
    """
    kind = _kind(tree_of(text), types)
    if kind != "truth":
        message = f"{text!r} is a {kind}, not a condition"
        raise ContractError(message)
    return text


def _names(node: ast.expr) -> list[str]:
    called = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and id(n) not in called]
    return [n.id for n in sorted(names, key=lambda name: (name.lineno, name.col_offset))]


def _kind(node: ast.expr, types: Mapping[str, str]) -> Kind:
    """What the node's value is; raises for what the language lacks."""
    match node:
        case ast.Name(id=name) if name in types:
            return _KINDS[types[name]]
        case ast.Name(id=name):
            message = f"{name!r} is no column: there are {', '.join(types)}"
            raise ContractError(message)
        case ast.Constant(value=str()):
            return "text"
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _number(node, value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _same(node, _kind(operand, types), ("number", "duration"))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _same(node, _kind(operand, types), ("truth",))
        case ast.BoolOp(values=values):
            for side in values:
                _same(side, _kind(side, types), ("truth",))
            return "truth"
        case ast.BinOp(left=left, op=op, right=right):
            return _sum(node, _kind(left, types), type(op), _kind(right, types))
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _comparison(node, [left, *others], ops, types)
        case ast.Call(func=ast.Name(id=name), args=[given], keywords=[]):
            return _call(node, name, given, types)
    message = (
        f"{ast.unparse(node)!r} is not allowed: there are columns, numbers, texts, + - *, "
        f"comparisons, and, or, not, {', '.join([*_FUNCTIONS, *DURATIONS])}"
    )
    raise ContractError(message)


def _number(node: ast.expr, value: float) -> Kind:
    if abs(value) == float("inf"):
        message = f"{ast.unparse(node)} is no number"
        raise ContractError(message)
    return "number"


def _same(node: ast.expr, kind: Kind, allowed: tuple[Kind, ...]) -> Kind:
    if kind not in allowed:
        message = f"{ast.unparse(node)!r}: a {kind}, wanted is a {' or '.join(allowed)}"
        raise ContractError(message)
    return kind


def _sum(node: ast.expr, left: Kind, op: type[ast.operator], right: Kind) -> Kind:
    made = _SUMS.get((left, op, right))
    if made is None:
        message = f"{ast.unparse(node)!r}: a {left} and a {right} can't be put together so"
        raise ContractError(message)
    return made


def _comparison(
    node: ast.expr, sides: list[ast.expr], ops: list[ast.cmpop], types: Mapping[str, str]
) -> Kind:
    kinds = [_kind(side, types) for side in sides]
    for (left, right), op in zip(pairwise(kinds), ops, strict=True):
        allowed = _EQUAL if left in ("text", "truth") else _ORDERED
        if left != right or not isinstance(op, allowed):
            message = f"{ast.unparse(node)!r}: a {left} and a {right} can't be compared so"
            raise ContractError(message)
    if any(not _names(left) and not _names(right) for left, right in pairwise(sides)):
        message = f"{ast.unparse(node)!r} compares constants"
        raise ContractError(message)
    return "truth"


def _call(node: ast.expr, name: str, given: ast.expr, types: Mapping[str, str]) -> Kind:
    if name in DURATIONS:
        if not (isinstance(given, ast.Constant) and _kind(given, types) == "number"):
            message = f"{ast.unparse(node)!r}: {name} wants a number, such as {name}(30)"
            raise ContractError(message)
        return "duration"
    if name not in _FUNCTIONS:
        known = ", ".join([*_FUNCTIONS, *DURATIONS])
        message = f"{name!r} is no function: there are {known}"
        raise ContractError(message)
    wanted, made = _FUNCTIONS[name]
    _same(given, _kind(given, types), (wanted,))
    return made
