"""Models: what made the answers of this server, and what they were made from."""

from fastapi import APIRouter, Security

from api.auth import BEARER
from api.failures import declared
from api.schemas import Answer, Model, SnapshotNote
from api.serving import ServingNow

__all__ = ["router"]

router = APIRouter(
    prefix="/v1/models",
    tags=["models"],
    dependencies=[Security(BEARER)],
    responses=declared(401, 503),
)


@router.get("")
def models(serving: ServingNow) -> Answer[list[Model]]:
    """The models in use: by its id an answer leads to data versions, a run, and code."""
    with serving.published.reading() as snapshot:
        found = [Model.of(row) for row in snapshot.models()]
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))
