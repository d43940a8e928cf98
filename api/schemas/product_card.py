"""One product on one card: what it may sell, what to order, what people do and say."""

from typing import Any, Self

import numpy as np
from pydantic import BaseModel, Field

from api.schemas.products import Product, ProductSentiment, QualityWeek
from api.schemas.reorder import ProductTraffic, ReorderPlan
from gpu_pipeline.backend import Backend
from gpu_pipeline.inventory import Units

__all__ = ["DemandOutlook", "ProductCard"]

OUTLOOK_DAYS = (7, 28)


class DemandOutlook(BaseModel):
    """What may sell of a product in its next days, all together, in units."""

    days: int = Field(description="From the day after `as_of` of the forecast on.")
    mean: float
    p10: float = Field(description="One time in ten less is sold.")
    p90: float = Field(description="Nine times in ten no more is sold.")

    @classmethod
    def over(cls, days: int, rows: list[dict[str, Any]]) -> Self:
        """From the forecast of one product, the first `days` of it."""
        mean = sum(row["mean"] for row in rows[:days])
        variance = rows[days - 1]["total_sd"] ** 2
        units = Units(np.array([mean]), np.array([variance]), Backend.choose("cpu"))
        low, high = (float(units.quantile(probability)[0]) for probability in (0.1, 0.9))
        return cls(days=days, mean=mean, p10=low, p90=high)


class ProductCard(BaseModel):
    """All that is known of a product, in short."""

    product_id: str
    name: str
    outlook: list[DemandOutlook] = Field(
        description="The next 7 and 28 days, as far as there is a forecast."
    )
    reorder: ReorderPlan | None = Field(description="Null where it is in no stock.")
    quality: QualityWeek | None = Field(description="The last week; null where nothing was sold.")
    sentiment: ProductSentiment | None = Field(description="Null where nobody wrote about it.")
    traffic: ProductTraffic | None = Field(description="Null where nobody came across it.")

    @classmethod
    def of(
        cls,
        product: Product,
        *,
        forecast: list[dict[str, Any]],
        reorder: list[dict[str, Any]],
        quality: list[dict[str, Any]],
        traffic: dict[str, Any] | None,
    ) -> Self:
        """From the rows of one product in the snapshot, in order of days, weeks and locations."""
        return cls(
            product_id=product.product_id,
            name=product.name,
            outlook=[DemandOutlook.over(n, forecast) for n in OUTLOOK_DAYS if n <= len(forecast)],
            reorder=ReorderPlan.of(reorder) if reorder else None,
            quality=QualityWeek.model_validate(quality[-1]) if quality else None,
            sentiment=product.sentiment,
            traffic=ProductTraffic.model_validate(traffic) if traffic else None,
        )
