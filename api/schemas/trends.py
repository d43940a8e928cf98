"""What changes from day to day."""

from datetime import date

from pydantic import BaseModel, Field

from api.schemas.answers import Share

__all__ = ["FunnelDay"]


class FunnelDay(BaseModel):
    """How far the visits of one day got, those of machines left out; each step has had the last."""

    day: date = Field(description="On which the visits began.")
    sessions: int
    bounced: int = Field(description="Visits of one event.")
    viewed: int
    carted: int
    checked_out: int
    purchased: int
    abandoned_carts: int = Field(description="Visits with a cart that bought nothing.")
    views: int
    purchases: int
    bounce_rate: Share
    conversion_rate: Share
    cart_abandonment_rate: float | None = Field(description="Null on a day without a cart.")
    pages_per_session: float
