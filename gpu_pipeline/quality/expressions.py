"""Expressions of contracts, computed over the columns of a frame; see contracts.expressions."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gpu_pipeline.backend import Frame, Series
from gpu_pipeline.contracts.expressions import DURATIONS, columns_of, tree_of

__all__ = ["broken"]

_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: lambda left, right: _as_float(left) * _as_float(right),
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.And: operator.and_,
    ast.Or: operator.or_,
}


def broken(frame: Frame, expression: str) -> Series:
    """The rows, as a mask, for which the condition is false.

    A row with a null in any column that the expression names is not judged: it is not broken.
    """
    false = ~_value(tree_of(expression), frame)
    for name in columns_of(expression):
        false &= frame[name].notna()
    return false


def _value(node: ast.expr, frame: Frame) -> Any:  # noqa: ANN401
    """The node's value: a series of the frame's length, or a scalar where no column is named."""
    match node:
        case ast.Name(id=name):
            return frame[name]
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_value(operand, frame)
        case ast.UnaryOp(operand=operand):
            return -_value(operand, frame)
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left, frame), _value(right, frame))
        case ast.BoolOp(op=op, values=values):
            return _folded(_OPERATORS[type(op)], [_value(value, frame) for value in values])
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compared([_value(side, frame) for side in (left, *others)], ops)
        case ast.Call(func=ast.Name(id=name), args=[given]):
            return _called(name, _value(given, frame))
    raise AssertionError(ast.dump(node))  # a contract that says this was refused


def _compared(sides: list[Any], ops: list[ast.cmpop]) -> Any:  # noqa: ANN401
    """All of `a < b <= c`; false where a side is null, on cuDF too."""
    found = [
        _OPERATORS[type(op)](left, right).fillna(value=False).astype("bool")
        for left, op, right in zip(sides, ops, sides[1:], strict=False)
    ]
    return _folded(operator.and_, found)


def _folded(join: Callable[[Any, Any], Any], values: list[Any]) -> Any:  # noqa: ANN401
    whole = values[0]
    for value in values[1:]:
        whole = join(whole, value)
    return whole


def _as_float(side: Any) -> Any:  # noqa: ANN401
    """Whole numbers as floats: a damaged row's product would wrap around in 64 bits.

    Amounts are below 2^49, so what rounding does to a product above 2^53 changes no comparison.
    """
    is_whole = hasattr(side, "dtype") and side.dtype.kind in "iu"
    return side.astype("float64") if is_whole else side


def _called(name: str, given: Any) -> Any:  # noqa: ANN401
    if name in DURATIONS:
        return np.timedelta64(round(given * DURATIONS[name]), "us")
    return given.dt.floor("D") if name == "day" else abs(given)
