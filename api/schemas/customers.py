"""Customers: what is known of one, and of many at once."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.answers import MeanMoney, ModelNote, Money, Probability
from api.schemas.segments import CustomerSegment
from gpu_pipeline.consents import Status

__all__ = [
    "Customer",
    "CustomerFeatures",
    "CustomerIds",
    "CustomerValue",
    "FoundCustomer",
    "OpenCase",
]

IDS_MAX = 1000
ID_CHARACTERS_MAX = 200

CustomerId = Annotated[str, StringConstraints(max_length=ID_CHARACTERS_MAX)]
Count = Annotated[int | None, Field(description="Null where there is no such source.")]
Mood = Annotated[float | None, Field(description="From -1, bad, to 1, good.", ge=-1, le=1)]
Score = Annotated[int, Field(description="Fifth of all customers, 5 the best.", ge=1, le=5)]


class CustomerFeatures(BaseModel):
    """What a customer looks like at `as_of`."""

    as_of: datetime
    first_order_at: datetime
    last_order_at: datetime
    days_since_last_order: float
    tenure_days: float
    orders: int
    units: int
    products: int = Field(description="Different products bought.")
    revenue: Money
    average_order: MeanMoney
    returned_units: int
    return_rate: float = Field(description="Units sent back for one unit sold.")
    currency: str
    orders_last_90_days: int
    revenue_last_90_days: Money
    discount_share: float | None = Field(description="Discounts for one of list value.")
    mean_days_between_orders: float | None = Field(description="Null with fewer than 2 orders.")
    sd_days_between_orders: float | None = Field(description="Null with fewer than 3 orders.")
    categories: Count = Field(description="Different categories bought.")
    favourite_category: str | None = Field(description="With the most units.")
    favourite_category_share: float | None = Field(description="Fraction of the units.")
    category_entropy: float | None = Field(description="In bits; 0 where all are of one category.")
    sessions: Count
    sessions_last_30_days: Count
    days_since_last_session: float | None
    views: Count
    carts: Count = Field(description="Products put into the cart.")
    conversion: float | None = Field(description="Sessions with a purchase for one session.")
    cart_abandonment: float | None = Field(
        description="Sessions with a cart and no purchase for one with a cart."
    )
    texts: Count
    texts_last_90_days: Count
    mean_mood: Mood
    mean_mood_last_90_days: Mood
    support_cases: Count
    open_cases: Count
    days_since_last_case: float | None
    mean_hours_to_resolve: float | None
    days_since_last_order_score: Score
    orders_score: Score
    revenue_score: Score


class OpenCase(BaseModel):
    """A support case that waits for an answer."""

    case_id: str
    topic: str | None
    channel: str | None = Field(description="How the customer wrote first.")
    product_id: str | None
    order_id: str | None
    opened_at: datetime
    last_message_at: datetime
    messages: int = Field(description="Of both sides.")
    mood: float | None = Field(
        ge=-1, le=1, description="How the opening message sounds; null without a score."
    )


class CustomerValue(BaseModel):
    """What a customer may still buy within the horizon."""

    as_of: datetime
    horizon_days: int = Field(description="Days after `as_of` that are meant.")
    purchases: int = Field(description="Days with a purchase so far.")
    p_alive: Probability = Field(
        description="Not to have left for good: by BG/NBD, at least 1 - churn_risk; 1 for who "
        "bought once."
    )
    churn_risk: Probability = Field(description="That nothing is bought within the horizon.")
    is_churning: bool
    expected_purchases: float
    expected_value: MeanMoney
    value_low: MeanMoney = Field(description="One in ten is worth less.")
    value_high: MeanMoney = Field(description="Nine in ten are worth less.")
    currency: str
    model: ModelNote | None = Field(description="What expects it; null where no model is served.")


class Customer(BaseModel):
    """One customer; the raw id is never repeated."""

    customer_key: str = Field(description="Pseudonym, 16 hexadecimal digits.")
    segment: CustomerSegment | None = Field(description="Null for a customer without one.")
    value: CustomerValue | None = Field(description="Null for a customer without one.")
    features: CustomerFeatures
    open_cases: list[OpenCase] = Field(description="The oldest first.")


class CustomerIds(BaseModel):
    """Customers to look up, by the shop's own ids."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"ids": ["17850", "13047"], "purpose": "marketing"}]},
    )

    ids: list[CustomerId] = Field(min_length=1, max_length=IDS_MAX)
    purpose: Literal["service", "marketing"] = Field(
        "service",
        description="For marketing nothing is said of customers who did not agree to it.",
    )


class FoundCustomer(BaseModel):
    """What is known of one of the customers that were asked for; the raw id is not repeated."""

    status: Status = Field(description="`no consent` is said only to marketing.")
    customer_key: str | None = Field(description="Null unless found.")
    segment: CustomerSegment | None
    value: CustomerValue | None

    @classmethod
    def untold(cls, status: Status) -> Self:
        """Somebody of whom no more than this is said."""
        return cls(status=status, customer_key=None, segment=None, value=None)
