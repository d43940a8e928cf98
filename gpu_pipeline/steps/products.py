"""The step that says what comes back and what is complained about."""

from typing import TYPE_CHECKING

from gpu_pipeline.backend import Frame
from gpu_pipeline.features import product_quality, weekly_contacts, weekly_sales, weekly_texts
from gpu_pipeline.orders import LINE_COLUMNS
from gpu_pipeline.pipeline import Step, Work

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["PRODUCT_QUALITY"]

_WEEKLY = {
    "orders": (weekly_sales, LINE_COLUMNS),
    "support_cases": (weekly_contacts, ("product_id", "opened_at")),
    "text_sentiment": (weekly_texts, ("product_id", "created_at", "label")),
}


def _product_quality(work: Work) -> None:
    """Weeks are counted bucket by bucket; the counts of all are few."""
    backend = work.lake.backend
    counts = [_counts(work, table) for table in _WEEKLY if work.has(table)]
    categories: Frame = work.empty("products")[["product_id", "category"]]
    if work.has("products"):
        categories = work.read("products", ["product_id", "category"]).compute()
    table = product_quality(counts, categories.reset_index(drop=True), backend)
    latest = table.drop_duplicates(subset=["product_id"], keep="last")
    stands_out = latest["return_rate_low"] > latest["category_return_rate"]
    work.facts.update(products=len(latest), above_their_category=int(stands_out.sum()))
    work.replace("product_quality", table)


def _counts(work: Work, table: str) -> Frame:
    count, columns = _WEEKLY[table]
    lines: dd.DataFrame = work.read(table, columns)
    backend, zone = work.lake.backend, work.lake.time_zone
    meta = count(work.empty(table)[list(columns)], work.as_of, backend, time_zone=zone)
    parts = lines.map_partitions(count, work.as_of, backend, time_zone=zone, meta=meta)
    found: Frame = parts.compute()
    return found


PRODUCT_QUALITY = Step(
    name="products",
    reads=("orders",),
    uses=("support_cases", "text_sentiment", "products"),
    writes=("product_quality",),
    run=_product_quality,
)
