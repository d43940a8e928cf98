"""What changes from day to day."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from api.schemas.answers import Share
from gpu_pipeline.trends import told

__all__ = ["Alert", "AlertKind", "ExampleText", "FunnelDay", "MoodDay", "RisingTerm", "Trends"]

AlertKind = Literal["worse", "better", "burst"]


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


class ExampleText(BaseModel):
    """A text that shows an alert."""

    source: str
    text_id: str
    text: str = Field(description="Redacted, as it is kept.")


class Alert(BaseModel):
    """One event: people speak otherwise of a product, or much more, than they did."""

    product_id: str
    name: str | None
    aspect: str = Field(description="What shows it most; empty for the product as a whole.")
    kind: AlertKind
    summary: str = Field(description="The same in words.")
    opened_at: date = Field(description="Since when, by the likeliest of the days.")
    detected_at: date
    closed_at: date | None = Field(description="Null while it is on.")
    closed_as: Literal["back", "settled"] | None = Field(
        description="Back as before, or four weeks on and usual by now."
    )
    people: int = Field(description="Who wrote while it was on.")
    negative_share: Share
    usual_negative_share: Share
    positive_share: Share
    usual_positive_share: Share
    people_a_day: float
    usual_people_a_day: float
    years_between_chance_alarms: float = Field(
        description="By chance one product has so much evidence at most once in so many years."
    )
    examples: list[ExampleText]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row of the snapshot, with its sentence."""
        return cls(**row, summary=told(row, row["name"] or row["product_id"]))


class RisingTerm(BaseModel):
    """A word or phrase that more people used in the last week than in the eight before."""

    term: str
    topic: str = Field(description="The strongest term of those in the same texts.")
    people: int
    people_before: int
    share: Share
    usual_share: Share
    growth: float
    q_value: float = Field(description="The false share among all terms up to this one, at most.")
    since: date
    until: date
    product_id: str | None
    negative_share: float | None


class Trends(BaseModel):
    """What changed of late."""

    alerts: list[Alert] = Field(description="Open ones first, then the latest.")
    rising_terms: list[RisingTerm] = Field(description="The most surprising first.")


class MoodDay(BaseModel):
    """How people spoke of a product, or of one of its aspects, on one day."""

    day: date
    texts: int
    negative_texts: int
    positive_texts: int
    people: int
    mood: float = Field(description="Mean of positive less negative probability.")
    smoothed_mood: float
    usual_people: float
    usual_negative_share: Share
    usual_positive_share: Share
