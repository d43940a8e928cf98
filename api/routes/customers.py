"""Customers: what is known about one, asked for by the shop's own id."""

from typing import Annotated

from fastapi import APIRouter, Path, Security
from starlette.exceptions import HTTPException

from api.auth import BEARER
from api.failures import declared
from api.schemas import Answer, Customer, SnapshotNote
from api.serving import ServingNow
from gpu_pipeline.privacy import as_hex

__all__ = ["router"]

router = APIRouter(
    prefix="/v1/customers",
    tags=["customers"],
    dependencies=[Security(BEARER)],
    responses=declared(401, 404, 422, 503),
)


@router.get("/{customer_id}")
def customer(
    customer_id: Annotated[
        str, Path(max_length=200, description="The shop's own id, as its files have it.")
    ],
    serving: ServingNow,
) -> Answer[Customer]:
    """Segment, features and open cases of one customer."""
    with serving.published.reading() as snapshot:
        key = serving.customer_key(customer_id, snapshot)
        row = snapshot.customer(key)
        if row is None:
            raise HTTPException(404, "No customer of that id is in this snapshot.")
        cases = snapshot.open_cases(key)
        found = Customer.of(row, customer_key=as_hex(key), open_cases=cases)
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))
