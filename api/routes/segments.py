"""Segments: which kinds of customers there are."""

from fastapi import APIRouter, Security

from api.auth import BEARER
from api.failures import declared
from api.schemas import Answer, Segment, SnapshotNote
from api.serving import ServingNow

__all__ = ["router"]

router = APIRouter(
    prefix="/v1/segments",
    tags=["segments"],
    dependencies=[Security(BEARER)],
    responses=declared(401, 503),
)


@router.get("")
def segments(serving: ServingNow) -> Answer[list[Segment]]:
    """Every segment with its size, its share of revenue and its centre."""
    with serving.published.reading() as snapshot:
        found = [Segment.model_validate(row) for row in snapshot.segments()]
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))
