"""Segments: which kinds of customers there are, who moved, and where somebody belongs."""

from itertools import groupby

from fastapi import APIRouter, Security
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.assigning import Assigner
from api.auth import BEARER
from api.failures import declared
from api.schemas import (
    AssignedSegment,
    Modelled,
    NewCustomers,
    Segment,
    SegmentMove,
    SnapshotNote,
)
from api.serving import ServingNow, model_note

__all__ = ["router"]

router = APIRouter(
    prefix="/v1/segments",
    tags=["segments"],
    dependencies=[Security(BEARER)],
    responses=declared(401, 503),
)


@router.get("")
def segments(serving: ServingNow) -> Modelled[list[Segment]]:
    """Every segment: what it is like, what sets it apart, how it has grown."""
    with serving.published.reading() as snapshot:
        by_segment = groupby(snapshot.traits(), key=lambda row: row["segment"])
        traits = {segment: list(rows) for segment, rows in by_segment}
        found = [
            Segment.model_validate({**row, "traits": traits.get(row["segment"], [])})
            for row in snapshot.segments()
        ]
        return Modelled(
            data=found,
            model=model_note(snapshot, "segments"),
            snapshot=SnapshotNote.of(snapshot),
        )


@router.get("/migration")
def migration(serving: ServingNow) -> Modelled[list[SegmentMove]]:
    """How many went from which segment to which since the run before; empty after the first."""
    with serving.published.reading() as snapshot:
        return Modelled(
            data=[SegmentMove.model_validate(row) for row in snapshot.migration()],
            model=model_note(snapshot, "segments"),
            snapshot=SnapshotNote.of(snapshot),
        )


@router.post("/assign", responses=declared(400, 413, 422))
def assign(asked: NewCustomers, serving: ServingNow) -> Modelled[list[AssignedSegment]]:
    """The segment of each customer by its features, in the order in which they were given."""
    with serving.published.reading() as snapshot:
        assigner = serving.assigner(snapshot)
        if assigner is None:
            message = "No model of segments is published: run `gpu-pipeline run`."
            raise HTTPException(503, message)
        _check(asked, assigner)
        return Modelled(
            data=[AssignedSegment.model_validate(one) for one in assigner.assign(asked.customers)],
            model=model_note(snapshot, "segments"),
            snapshot=SnapshotNote.of(snapshot),
        )


def _check(asked: NewCustomers, assigner: Assigner) -> None:
    """Refuses customers with other features than the model takes, with every fault."""
    faults = [
        {"loc": ("body", "customers", fault.place, fault.feature), "msg": fault.problem}
        for fault in assigner.faults(asked.customers)
    ]
    if faults:
        raise RequestValidationError(faults)
