"""Models: what made the answers, and what they were made from."""

import json
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

__all__ = ["Model"]


class Model(BaseModel):
    """A model in use: by its id an answer leads to data versions, a run, and code."""

    kind: str
    id: str = Field(description="The same as in the `model` of an answer.")
    run_id: str = Field(description="The run that fitted it.")
    as_of: datetime = Field(description="It learnt from nothing later.")
    device: str = Field(description="What it was fitted on, and why there.")
    code: str = Field(description="Digest of the code that fitted it.")
    seed: int
    data_versions: dict[str, int] = Field(description="Versions of the tables it learnt from.")
    metrics: dict[str, Any] = Field(description="What it is worth, as its evaluation says.")

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """From a row of the snapshot."""
        card = json.loads(row["card"])
        return cls.model_validate({**card, "id": row["model_id"], "run_id": row["model_id"]})
