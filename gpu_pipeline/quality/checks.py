"""Checks: which values and rows break which rule, as masks. Pure functions, on either device."""

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gpu_pipeline.backend import Backend, Frame, Series
from gpu_pipeline.contracts import Check, Contract, Rule
from gpu_pipeline.privacy import redacted
from gpu_pipeline.quality.expressions import broken

__all__ = ["Faults", "column_faults", "presence_faults", "row_faults"]

Faults = list[tuple[Rule, Series]]

_CODE = f"{string.ascii_letters}{string.digits}._/#-"
_NO_CODE = "[^0-9A-Za-z._/#-]"


def column_faults(values: Series, rules: Sequence[Rule], *, backend: Backend) -> Faults:
    """Each of the `rules` about a value of one column, with the mask of the values that break it.

    `values` are typed: the column itself or its distinct values. A null never breaks a rule.
    Rules of other kinds (`readable`, `required`, `compare`, …) are passed over.
    """
    known = values.notna()
    return [
        (rule, _CHECKS[rule.check](values, rule.bound, backend) & known)
        for rule in rules
        if rule.check in _CHECKS
    ]


def presence_faults(values: Series, absent: Series, rules: Sequence[Rule]) -> Faults:
    """The rules `readable` and `required` of one column, with the mask of the rows that break them.

    `values` are typed, null where the landing value could not be read; `absent` is a mask of the
    rows that brought none.
    """
    masks: dict[str, Series] = {"readable": values.isna() & ~absent, "required": absent}
    return [(rule, masks[rule.check]) for rule in rules if rule.check in masks]


def row_faults(
    frame: Frame, contract: Contract, *, unfit: Mapping[str, Series] | None = None
) -> Faults:
    """Each condition over several columns, with the mask of the rows that break it.

    `frame` has the contract's columns in their types. A row with a null in a column of the
    condition is not judged, nor is one whose value there is `unfit` (a mask for each column):
    where a value was unreadable, what stands in its place means nothing.
    """
    faults = []
    for rule in contract.rules:
        if rule.check == "compare" and rule.expression is not None:
            mask = broken(frame, rule.expression)
            for name in rule.columns:
                if unfit is not None and name in unfit:
                    mask &= ~unfit[name]
            faults.append((rule, mask))
    return faults


def _below(values: Series, bound: Any, _: Backend) -> Series:  # noqa: ANN401
    return _certain(values < _scalar(bound))


def _above(values: Series, bound: Any, _: Backend) -> Series:  # noqa: ANN401
    return _certain(values > _scalar(bound))


def _not_above(values: Series, bound: Any, _: Backend) -> Series:  # noqa: ANN401
    return _certain(values <= bound)


def _unknown(values: Series, bound: Any, _: Backend) -> Series:  # noqa: ANN401
    return ~values.isin(list(bound))


def _unlike(values: Series, bound: Any, backend: Backend) -> Series:  # noqa: ANN401
    return ~backend.contains(values, bound)


def _longer(values: Series, bound: Any, _: Backend) -> Series:  # noqa: ANN401
    return _certain(values.str.len() > bound)


def _names_somebody(values: Series, _: Any, backend: Backend) -> Series:  # noqa: ANN401
    """Which ids are an e-mail address, phone number, …; bare letters and digits never are."""
    if backend.has_only(values, _CODE):
        return values.isna() & False
    odd = backend.contains(values, _NO_CODE)
    some = values[odd]
    odd[odd] = redacted(some, backend=backend) != some
    return odd


def _certain(mask: Series) -> Series:
    """Truth values without nulls."""
    return mask.fillna(value=False).astype("bool")


def _scalar(bound: Any) -> Any:  # noqa: ANN401
    """The bound as columns on both devices compare with it; a number as it is."""
    return bound if isinstance(bound, int | float) else np.datetime64(bound, "us")


_CHECKS: Mapping[Check, Callable[[Series, Any, Backend], Series]] = {
    "minimum": _below,
    "maximum": _above,
    "above": _not_above,
    "allowed": _unknown,
    "pattern": _unlike,
    "impersonal": _names_somebody,
    "length": _longer,
}
