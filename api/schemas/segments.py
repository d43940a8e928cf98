"""Segments: which kinds of customers there are, who moved, and who belongs where."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.answers import MeanMoney, ModelNote, Share

__all__ = [
    "AssignedSegment",
    "CustomerSegment",
    "NewCustomers",
    "Segment",
    "SegmentMove",
    "SegmentTrait",
]

CUSTOMERS_MAX = 1000

# No text for a number, and no infinity, which JSON has not but parsers take.
Feature = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class AssignedSegment(BaseModel):
    """The segment that somebody belongs to, and why to this rather than to the next."""

    segment: int = Field(description="-1 are those who are in none.")
    name: str | None = Field(description="Null where none of the published customers is in it.")
    distance: float = Field(description="From the segment's centre, in standard deviations.")
    reasons: list[str] = Field(description="The strongest first; at most three.")

    @classmethod
    def of(cls, row: dict[str, Any], **more: object) -> Self:
        """From a row with segment, name, distance and reason_1 to reason_3."""
        reasons = [row[name] for name in ("reason_1", "reason_2", "reason_3") if row[name]]
        return cls.model_validate({**row, **more, "reasons": reasons})


class CustomerSegment(AssignedSegment):
    """The segment that a customer was in at `as_of`."""

    as_of: datetime
    model: ModelNote | None = Field(description="What assigned it; null where no model is served.")


class SegmentTrait(BaseModel):
    """A feature in which the customers of a segment differ from all."""

    rank: int = Field(description="1 is the strongest.")
    feature: str
    value: float | None = Field(description="Median of the segment.")
    usual: float | None = Field(description="Median of all customers.")
    effect: float = Field(description="Difference of the means, in standard deviations.")
    label: str = Field(description="The value with its unit.")
    text: str = Field(description="The value against the usual one, in words.")


class Segment(BaseModel):
    """One kind of customer, in numbers and in words."""

    segment: int = Field(description="Number, most revenue first.")
    as_of: datetime
    name: str
    customers: int
    customer_share: Share
    revenue_share: Share
    days_since_last_order: float = Field(description="Median.")
    tenure_days: float = Field(description="Median.")
    orders: float = Field(description="Mean.")
    average_order: MeanMoney
    revenue: MeanMoney
    return_rate: float = Field(description="Mean, units sent back for one sold.")
    currency: str
    discount_share: float | None = Field(description="Mean, discounts for one of list value.")
    customers_before: int | None = Field(description="In the run before; null at the first.")
    growth: float | None = Field(description="Customers for one of the run before, less 1.")
    description: str | None = Field(description="What they are, and what marketing can do.")
    traits: list[SegmentTrait] = Field(description="What sets them apart, the strongest first.")


class SegmentMove(BaseModel):
    """How many went from one segment to another, or stayed, since the run before."""

    from_segment: int = Field(description="-2 are customers who had none then.")
    to_segment: int = Field(description="-2 are customers who have none any more.")
    from_name: str
    to_name: str
    customers: int
    share_of_from: Share


class NewCustomers(BaseModel):
    """Customers to assign, each by the features that the model takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customers": [
                        {
                            "days_since_last_order": 12.5,
                            "orders": 3,
                            "revenue": 25990,
                            "discount_share": 0.05,
                            "mean_days_between_orders": 61.0,
                            "orders_last_90_days": 2,
                        }
                    ]
                }
            ]
        },
    )

    customers: list[dict[str, Feature | None]] = Field(
        min_length=1,
        max_length=CUSTOMERS_MAX,
        description="In the units of contract customer_features; null where one is unknown, as "
        "the pause between orders is of who ordered once.",
    )
