"""Customers: what is known about one or many, asked for by the shop's own ids."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Security
from starlette.exceptions import HTTPException

from api.auth import BEARER
from api.failures import declared
from api.schemas import (
    Answer,
    Customer,
    CustomerFeatures,
    CustomerIds,
    CustomerSegment,
    CustomerValue,
    FoundCustomer,
    OpenCase,
    SnapshotNote,
)
from api.serving import ServingNow, model_note
from gpu_pipeline.consents import statuses
from gpu_pipeline.privacy import as_hex
from gpu_pipeline.publish import Snapshot

__all__ = ["router"]

_UNKNOWN = "No customer of that id is in this snapshot."

router = APIRouter(
    prefix="/v1/customers",
    tags=["customers"],
    dependencies=[Security(BEARER)],
    responses=declared(401, 422, 503),
)

CustomerId = Annotated[
    str, Path(max_length=200, description="The shop's own id, as its files have it.")
]


@router.get("/{customer_id}", responses=declared(404))
def customer(customer_id: CustomerId, serving: ServingNow) -> Answer[Customer]:
    """Segment, value, features and open cases of one customer."""
    with serving.published.reading() as snapshot:
        key = serving.customer_key(customer_id, snapshot)
        row = snapshot.customer(key)
        if row is None:
            raise HTTPException(404, _UNKNOWN)
        (segment,), (value,) = _segments(snapshot, [key]), _values(snapshot, [key])
        found = Customer(
            customer_key=as_hex(key),
            segment=segment,
            value=value,
            features=CustomerFeatures.model_validate(row),
            open_cases=[OpenCase.model_validate(case) for case in snapshot.open_cases(key)],
        )
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))


@router.get("/{customer_id}/segment", responses=declared(404))
def customer_segment(customer_id: CustomerId, serving: ServingNow) -> Answer[CustomerSegment]:
    """The segment of one customer, and why this one."""
    with serving.published.reading() as snapshot:
        key = serving.customer_key(customer_id, snapshot)
        (segment,) = _segments(snapshot, [key])
        if segment is None:
            is_known = snapshot.customer(key) is not None
            known = "This customer is in no segment yet: the next run finds one."
            raise HTTPException(404, known if is_known else _UNKNOWN)
        return Answer(data=segment, snapshot=SnapshotNote.of(snapshot))


@router.post("/lookup", responses=declared(400, 413))
def lookup(asked: CustomerIds, serving: ServingNow) -> Answer[list[FoundCustomer]]:
    """Segment and value of many customers, in the order of their ids; no id is in the path."""
    with serving.published.reading() as snapshot:
        is_marketing = asked.purpose == "marketing"
        if is_marketing and not snapshot.has_consents():
            message = (
                "Nobody's consent to marketing is in this snapshot: load the table customers and "
                "run `gpu-pipeline run`."
            )
            raise HTTPException(503, message)
        keys = [serving.customer_key(one, snapshot) for one in asked.ids]
        found = _found(snapshot, keys, is_marketing=is_marketing)
        return Answer(data=list(found), snapshot=SnapshotNote.of(snapshot))


def _found(
    snapshot: Snapshot, keys: Sequence[int], *, is_marketing: bool
) -> Iterator[FoundCustomer]:
    consents = snapshot.consents_of(keys)
    segments, values = _segments(snapshot, keys), _values(snapshot, keys)
    buyers = snapshot.buyers_of(keys)
    known = [key in buyers or key in consents for key in keys]
    agreed = [not is_marketing or consents.get(key, False) for key in keys]
    told = statuses(np.array(known), np.array(agreed))
    for key, status, segment, value in zip(keys, told, segments, values, strict=True):
        if status == "found":
            yield FoundCustomer(
                status=status, customer_key=as_hex(key), segment=segment, value=value
            )
        else:
            yield FoundCustomer.untold(status)


def _segments(snapshot: Snapshot, keys: Sequence[int]) -> list[CustomerSegment | None]:
    """The segment of each customer, if known."""
    rows, model = snapshot.segments_of(keys), model_note(snapshot, "segments")
    return [CustomerSegment.of(rows[key], model=model) if key in rows else None for key in keys]


def _values(snapshot: Snapshot, keys: Sequence[int]) -> list[CustomerValue | None]:
    """The value of each customer, if known."""
    rows, model = snapshot.values_of(keys), model_note(snapshot, "customer_value")
    return [
        CustomerValue.model_validate({**rows[key], "model": model}) if key in rows else None
        for key in keys
    ]
