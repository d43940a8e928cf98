"""Products: what there is, how people speak of it, and what may sell."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Security
from starlette.exceptions import HTTPException

from api.auth import BEARER
from api.failures import declared
from api.schemas import (
    Answer,
    Forecast,
    Page,
    Product,
    ProductQuality,
    RelatedProduct,
    Relation,
    SnapshotNote,
)
from api.serving import ServingNow

__all__ = ["router"]

_UNKNOWN = "No product of that id is in this snapshot."

router = APIRouter(
    prefix="/v1/products",
    tags=["products"],
    dependencies=[Security(BEARER)],
    responses=declared(401, 422, 503),
)


@router.get("")
def products(
    serving: ServingNow,
    search: Annotated[str, Query(max_length=200, description="Part of the name.")] = "",
    after: Annotated[str, Query(max_length=200, description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[Product]:
    """Products by name, in order of their id, page by page."""
    with serving.published.reading() as snapshot:
        rows = snapshot.products(search, after=after, limit=limit + 1)
        found = [Product.of(row) for row in rows[:limit]]
        more = found[-1].product_id if len(rows) > limit else None
        return Page(data=found, next=more, snapshot=SnapshotNote.of(snapshot))


# Stock keeping units may contain slashes.
ProductId = Annotated[str, Path(max_length=200)]


@router.get("/{product_id:path}/forecast", responses=declared(404))
def forecast(product_id: ProductId, serving: ServingNow) -> Answer[Forecast]:
    """What may sell of one product, day by day, with how sure that is."""
    with serving.published.reading() as snapshot:
        product = snapshot.product(product_id)
        rows = snapshot.forecast(product_id)
        if not rows:
            known = "This product has no forecast: too few of it were sold."
            raise HTTPException(404, known if product else _UNKNOWN)
        found = Forecast.of(rows, name=product["name"] if product else None)
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))


@router.get("/{product_id:path}/quality", responses=declared(404))
def quality(product_id: ProductId, serving: ServingNow) -> Answer[ProductQuality]:
    """What comes back of one product, and what is complained about, week by week."""
    with serving.published.reading() as snapshot:
        product = snapshot.product(product_id)
        rows = snapshot.quality(product_id)
        if not rows:
            known = "Nothing was sold or said of this product yet."
            raise HTTPException(404, known if product else _UNKNOWN)
        found = ProductQuality.of(rows, name=product["name"] if product else None)
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))


@router.get("/{product_id:path}/related", responses=declared(404))
def related(
    product_id: ProductId, serving: ServingNow, relation: Relation = "co_buy"
) -> Answer[list[RelatedProduct]]:
    """What is bought in one order with the product, or viewed in one visit; the best first."""
    with serving.published.reading() as snapshot:
        rows = snapshot.related(product_id, relation)
        if not rows and snapshot.product(product_id) is None:
            raise HTTPException(404, _UNKNOWN)
        found = [RelatedProduct.model_validate(row) for row in rows]
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))
