"""The shape of every answer and every failure."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, Field

from gpu_pipeline.publish import Snapshot

__all__ = [
    "Answer",
    "Fault",
    "MeanMoney",
    "ModelNote",
    "Modelled",
    "Money",
    "Page",
    "Probability",
    "Problem",
    "Share",
    "SnapshotNote",
    "Status",
]

T = TypeVar("T")

Money = Annotated[int, Field(description="In minor units of the currency.")]
MeanMoney = Annotated[float, Field(description="In minor units of the currency.")]
Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(description="Fraction of the whole.")]


class SnapshotNote(BaseModel):
    """Which published data an answer comes from."""

    version: str = Field(description="Number of the snapshot, rising.")
    run_id: str = Field(description="The run that published it.")
    as_of: datetime = Field(description="Nothing that happened later is in it.")

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """The note for answers from this snapshot."""
        facts: dict[str, Any] = snapshot.facts
        return cls(version=snapshot.version, run_id=facts["run_id"], as_of=facts["as_of"])


class Answer(BaseModel, Generic[T]):
    """The shape of every success."""

    data: T
    snapshot: SnapshotNote | None = Field(
        description="The published data behind the answer; null while nothing is published."
    )


class ModelNote(BaseModel):
    """A fitted model; `GET /v1/models` says what it was made from."""

    kind: str = Field(examples=["segments"])
    id: str = Field(description="The run that fitted it.")


class Modelled(Answer[T], Generic[T]):
    """An answer that one model gave."""

    model: ModelNote | None = Field(description="Null where no model is published.")


class Page(Answer[list[T]], Generic[T]):
    """One page of a list."""

    next: str | None = Field(
        description="Give it as `after` to get the next page; null at the end."
    )


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(examples=["body.texts.0"])
    problem: str = Field(examples=["String should have at most 20000 characters"])


class Problem(BaseModel):
    """The shape of every failure, after RFC 9457."""

    type: str = Field(description="A name for the kind of failure, for programs.")
    title: str = Field(description="The same for people.")
    status: int
    detail: str = Field(description="What happened this time, and what to do.")
    request_id: str = Field(description="The same as in X-Request-ID; the log has it too.")
    faults: list[Fault] = Field([], description="What is wrong with the request, all of it.")


class Status(BaseModel):
    """How the server is."""

    status: Literal["alive", "ready"]
