"""What every part of a mapping file shares: unknown keys are faults, nothing changes later."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Scalar", "Strict", "as_text"]

Scalar = str | int | float | bool


class Strict(BaseModel):
    """A part of a mapping file."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def as_text(value: Scalar) -> str:
    """The value as a CSV file would have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
