"""Trends: what changes from day to day."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Security
from starlette.exceptions import HTTPException

from api.auth import BEARER
from api.failures import declared
from api.schemas import Answer, FunnelDay, SnapshotNote
from api.serving import ServingNow
from gpu_pipeline.publish import Snapshot

__all__ = ["router"]

_USUAL_DAYS = 28

router = APIRouter(
    prefix="/v1/trends",
    tags=["trends"],
    dependencies=[Security(BEARER)],
    responses=declared(401, 422, 503),
)


@router.get("/funnel")
def funnel(
    serving: ServingNow,
    since: Annotated[
        date | None, Query(description="By default four weeks before the end.")
    ] = None,
    until: Annotated[date | None, Query(description="By default the snapshot's last day.")] = None,
    channel: Annotated[str | None, Query(max_length=200, description="How visitors came.")] = None,
    device: Annotated[str | None, Query(max_length=500, description="What they used.")] = None,
) -> Answer[list[FunnelDay]]:
    """How far visits got, and how many carts were left, day by day; days without a visit lack."""
    with serving.published.reading() as snapshot:
        # A business day of the lake's zone may be the one after the day of UTC.
        last = until or _day_of(snapshot) + timedelta(days=1)
        first = since or last - timedelta(days=_USUAL_DAYS)
        if first > last:
            raise HTTPException(422, f"The days begin on {first} and end on {last}, before that.")
        rows = snapshot.funnel(first, last, channel=channel, device=device)
        found = [FunnelDay.model_validate(row) for row in rows]
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))


def _day_of(snapshot: Snapshot) -> date:
    return datetime.fromisoformat(snapshot.facts["as_of"]).date()
