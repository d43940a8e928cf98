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
    ProductCard,
    ProductQuality,
    ProductReorder,
    RelatedProduct,
    Relation,
    SnapshotNote,
)
from api.serving import ServingNow
from gpu_pipeline.publish import Snapshot

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


@router.get("/{product_id:path}/reorder", responses=declared(404))
def reorder(product_id: ProductId, serving: ServingNow) -> Answer[ProductReorder]:
    """What to order of one product at each location, with why; and what people say of it."""
    with serving.published.reading() as snapshot:
        product, rows = _product(snapshot, product_id), snapshot.reorder(product_id)
        if not rows:
            known = "This product is in no stock count: load the table inventory."
            raise HTTPException(404, known if product else _UNKNOWN)
        found = ProductReorder.of(
            rows,
            name=product.name if product else None,
            sentiment=product.sentiment if product else None,
            traffic=snapshot.traffic(product_id),
        )
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


# The last one: a path that ends in none of the words above is an id.
@router.get("/{product_id:path}", responses=declared(404))
def product(product_id: ProductId, serving: ServingNow) -> Answer[ProductCard]:
    """One product on one card: demand to come, what to order, quality, sentiment and traffic."""
    with serving.published.reading() as snapshot:
        known = _product(snapshot, product_id)
        if known is None:
            raise HTTPException(404, _UNKNOWN)
        found = ProductCard.of(
            known,
            forecast=snapshot.forecast(product_id),
            reorder=snapshot.reorder(product_id),
            quality=snapshot.quality(product_id),
            traffic=snapshot.traffic(product_id),
        )
        return Answer(data=found, snapshot=SnapshotNote.of(snapshot))


def _product(snapshot: Snapshot, product_id: str) -> Product | None:
    row = snapshot.product(product_id)
    return None if row is None else Product.of(row)
