"""Trends: what changes from day to day."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Security
from starlette.exceptions import HTTPException

from api.auth import BEARER
from api.failures import declared
from api.schemas import (
    Alert,
    AlertKind,
    Answer,
    FunnelDay,
    MoodDay,
    RisingTerm,
    SnapshotNote,
    Trends,
)
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


@router.get("")
def trends(
    serving: ServingNow,
    days: Annotated[
        int, Query(ge=0, le=400, description="Alerts that closed in so many days, too.")
    ] = _USUAL_DAYS,
    product_id: Annotated[str | None, Query(max_length=200)] = None,
    aspect: Annotated[
        str | None, Query(max_length=200, description="Empty: products as a whole.")
    ] = None,
    kind: Annotated[AlertKind | None, Query(description="Worse, better, or a burst.")] = None,
) -> Answer[Trends]:
    """What people began to say otherwise of which product, and the words that rise."""
    with serving.published.reading() as snapshot:
        since = _day_of(snapshot) - timedelta(days=days)
        rows = snapshot.alerts(since, product_id=product_id, aspect=aspect, kind=kind)
        terms = [
            RisingTerm.model_validate(row)
            for row in snapshot.rising_terms()
            if product_id is None or row["product_id"] == product_id
        ]
        found = Trends(alerts=[Alert.of(row) for row in rows], rising_terms=terms)
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))


@router.get("/mood")
def mood(
    serving: ServingNow,
    product_id: Annotated[str, Query(max_length=200)],
    aspect: Annotated[str, Query(max_length=200, description="By default the whole.")] = "",
    days: Annotated[int, Query(ge=1, le=120)] = _USUAL_DAYS,
) -> Answer[list[MoodDay]]:
    """How people spoke of a product day by day, beside what was usual; days without texts lack."""
    with serving.published.reading() as snapshot:
        since = _day_of(snapshot) - timedelta(days=days)
        rows = snapshot.mood(product_id, since, aspect=aspect)
        found = [MoodDay.model_validate(row) for row in rows]
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))


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
