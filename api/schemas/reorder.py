"""What to order of a product, at each location."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from api.schemas.answers import Money, Probability, Share
from api.schemas.products import ProductSentiment
from gpu_pipeline.inventory import Reason

__all__ = ["ProductReorder", "ProductTraffic", "ReorderLocation", "ReorderPlan"]

_UNPLANNED = "Null where there is no plan, as `reason` says."


class ProductTraffic(BaseModel):
    """How often people came across a product in the last 28 days."""

    views: int
    carts: int = Field(description="Times it was put into a cart.")
    purchases: int


class ReorderLocation(BaseModel):
    """The stock of a product at one location, and what to order there."""

    location: str
    reason: Reason = Field(description="Why it is ordered or not, or why that can't be said.")
    order_quantity: int = Field(description="Units to order now.")
    order_cost: Money
    reorder_point: float | None = Field(
        description="Order when on hand and on order are this many units or fewer. " + _UNPLANNED
    )
    safety_stock: float | None = Field(description="Units left when a delivery arrives, mean.")
    minimum_order: int = Field(description="Units that are ordered at once.")
    cycle_service: Probability | None = Field(
        description="Chance that nothing is missing from one delivery to the next."
    )
    fill_rate: Share | None = Field(description="Part of the units asked for that is there.")
    counted_at: datetime
    on_hand: int = Field(description="Units in stock at that count.")
    on_order: int = Field(description="Units on their way then.")
    sold_since_count: float = Field(description="Units, this location's share of all.")
    days_of_cover: float | None = Field(description="Days that the units on hand should last.")
    stockout_risk: Probability | None = Field(
        description="Chance that they don't last until the next delivery."
    )
    units_short: float | None = Field(description="Units that will then be missing, mean.")
    overstock_units: int = Field(description="Units beyond all that may be asked for.")
    overstock_cost: Money
    demand_share: Share = Field(description="The location's part of the product's demand.")
    daily_demand: float | None = Field(description="Units a day expected here.")
    lead_time_demand: float | None = Field(description="Units expected in a lead time.")
    lead_time_demand_spread: float | None = Field(description="Standard deviation of the error.")
    protected_demand: float | None = Field(
        description="Units expected until what is not ordered now could arrive."
    )
    protected_demand_spread: float | None = Field(description="Standard deviation of the error.")
    lead_time_days: float | None
    lead_time_days_spread: float | None = Field(description="Standard deviation of these days.")
    supplier: str | None
    unit_cost: Money
    currency: str


class ReorderPlan(BaseModel):
    """What to order of a product."""

    as_of: datetime = Field(description="Nothing later is used.")
    service_level: Probability = Field(description="The `cycle_service` that was asked for.")
    review_days: int = Field(description="Days between two looks at the stock.")
    order_quantity: int = Field(description="Units to order now, all locations.")
    locations: list[ReorderLocation]

    @classmethod
    def of(cls, rows: list[dict[str, Any]], **beside: object) -> Self:
        """From the rows of one product in the snapshot, by location, and what stands beside."""
        locations = [ReorderLocation.model_validate(row) for row in rows]
        quantity = sum(one.order_quantity for one in locations)
        return cls.model_validate(
            {**rows[0], "order_quantity": quantity, "locations": locations, **beside}
        )


class ProductReorder(ReorderPlan):
    """What to order of a product, beside what people say of it and how often they look at it."""

    product_id: str
    name: str | None
    sentiment: ProductSentiment | None = Field(description="Null where nobody wrote about it.")
    traffic: ProductTraffic | None = Field(description="Null where nobody came across it.")
