"""Products: what there is of them, what may sell, what comes back, what goes with what."""

from datetime import date, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from api.schemas.answers import Share

__all__ = [
    "Forecast",
    "ForecastDay",
    "Product",
    "ProductQuality",
    "ProductSentiment",
    "QualityWeek",
    "RelatedProduct",
    "Relation",
]

Relation = Literal["co_buy", "co_view"]


class ProductSentiment(BaseModel):
    """How many texts about a product sound how."""

    texts: int
    negative: int
    neutral: int
    positive: int


class Product(BaseModel):
    """One product."""

    product_id: str
    name: str
    sentiment: ProductSentiment | None = Field(description="Null where nobody wrote about it.")

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """From a row of the snapshot."""
        said = None if row["texts"] is None else ProductSentiment.model_validate(row)
        return cls(product_id=row["product_id"], name=row["name"], sentiment=said)


class ForecastDay(BaseModel):
    """What may sell on one day, in units."""

    day: date
    horizon: int = Field(description="Days after `as_of`.")
    mean: float
    p10: float = Field(description="One day in ten sells less.")
    p50: float
    p90: float = Field(description="Nine days in ten sell less.")
    total_sd: float = Field(
        description="Standard deviation of the error of `mean` summed up to this day."
    )


class Forecast(BaseModel):
    """What may sell of one product, day by day."""

    product_id: str
    name: str | None
    as_of: date = Field(description="Last day that was seen.")
    model: str = Field(description="The method that counts most in the forecast.")
    error: float = Field(description="Its mean absolute error in the last test, units a day.")
    naive_error: float = Field(description="The same of the seasonal naive forecast.")
    days: list[ForecastDay]

    @classmethod
    def of(cls, rows: list[dict[str, Any]], *, name: str | None) -> Self:
        """From the rows of one product in the snapshot, in order of the day."""
        days = [ForecastDay.model_validate(row) for row in rows]
        return cls.model_validate({**rows[0], "name": name, "days": days})


class QualityWeek(BaseModel):
    """One week of a product; rates are of the 13 weeks up to it, null where they are of nothing."""

    week: date = Field(description="Its Monday.")
    units_sold: int
    units_returned: int
    contacts: int = Field(description="Support cases opened about it.")
    texts: int
    negative_texts: int
    units_sold_last_13_weeks: int
    units_returned_last_13_weeks: int
    return_rate: float | None = Field(description="Units sent back for one unit sold.")
    return_rate_low: float | None = Field(description="Lower end of its 95 % interval.")
    return_rate_high: float | None = Field(description="Upper end of its 95 % interval.")
    contacts_per_1000_sold: float | None
    negative_share: float | None = Field(description="Of the texts.")
    category_return_rate: float | None = Field(description="Of all products of the category.")
    category_contacts_per_1000_sold: float | None
    category_negative_share: float | None


class ProductQuality(BaseModel):
    """What comes back of a product, and what is complained about, against its category."""

    product_id: str
    name: str | None
    category: str | None
    weeks: list[QualityWeek]

    @classmethod
    def of(cls, rows: list[dict[str, Any]], *, name: str | None) -> Self:
        """From the rows of one product in the snapshot, in order of the week."""
        weeks = [QualityWeek.model_validate(row) for row in rows]
        return cls.model_validate({**rows[0], "name": name, "weeks": weeks})


class RelatedProduct(BaseModel):
    """A product that goes with another."""

    related_product_id: str
    related_name: str | None
    relation: Relation
    rank: int
    baskets: int = Field(description="Orders, or visits, with both.")
    support: Share
    confidence: float = Field(description="Share of those with the product that have both.")
    lift: float = Field(description="How many times as often as by chance.")
    as_of: datetime
