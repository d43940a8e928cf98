"""What goes in and comes out, as types: every answer is an `Answer`, every failure a `Problem`."""

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gpu_pipeline.publish import Snapshot

__all__ = [
    "Answer",
    "Customer",
    "Fault",
    "Forecast",
    "FunnelDay",
    "OpenCase",
    "Page",
    "Problem",
    "Product",
    "ProductQuality",
    "QualityWeek",
    "RelatedProduct",
    "Relation",
    "Segment",
    "Sentiment",
    "SnapshotNote",
    "Status",
    "Texts",
]

T = TypeVar("T")

TEXTS_MAX = 256
TEXT_CHARACTERS_MAX = 20_000

Text = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS_MAX)]
Money = Annotated[int, Field(description="In minor units of the currency.")]
MeanMoney = Annotated[float, Field(description="In minor units of the currency.")]
Probability = Annotated[float, Field(ge=0, le=1)]
Relation = Literal["co_buy", "co_view"]
Share = Annotated[float, Field(description="Fraction of the whole.")]
Count = Annotated[int | None, Field(description="Null where there is no such source.")]
Mood = Annotated[float | None, Field(description="From -1, bad, to 1, good.", ge=-1, le=1)]
Score = Annotated[int, Field(description="Fifth of all customers, 5 the best.", ge=1, le=5)]


class SnapshotNote(BaseModel):
    """Which published data an answer comes from."""

    version: str = Field(description="Number of the snapshot, rising.")
    run_id: str = Field(description="The run that published it.")
    as_of: datetime = Field(description="Nothing that happened later is in it.")

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """The note for answers from this snapshot."""
        facts: dict[str, Any] = snapshot.facts
        return cls(version=snapshot.version, run_id=facts["run_id"], as_of=facts["as_of"])


class Answer(BaseModel, Generic[T]):
    """The shape of every success."""

    data: T
    snapshot: SnapshotNote | None = Field(
        description="The published data behind the answer; null while nothing is published."
    )


class Page(Answer[list[T]], Generic[T]):
    """One page of a list."""

    next: str | None = Field(
        description="Give it as `after` to get the next page; null at the end."
    )


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(examples=["body.texts.0"])
    problem: str = Field(examples=["String should have at most 20000 characters"])


class Problem(BaseModel):
    """The shape of every failure, after RFC 9457."""

    type: str = Field(description="A name for the kind of failure, for programs.")
    title: str = Field(description="The same for people.")
    status: int
    detail: str = Field(description="What happened this time, and what to do.")
    request_id: str = Field(description="The same as in X-Request-ID; the log has it too.")
    faults: list[Fault] = Field([], description="What is wrong with the request, all of it.")


class Status(BaseModel):
    """How the server is."""

    status: Literal["alive", "ready"]


class Texts(BaseModel):
    """Texts to score."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"texts": ["Love it!", "The battery died in a week."]}]},
    )

    texts: list[Text] = Field(min_length=1, max_length=TEXTS_MAX)


class Sentiment(BaseModel):
    """How one text sounds."""

    # "model_" names are pydantic's own unless it is told otherwise.
    model_config = ConfigDict(protected_namespaces=())

    label: Literal["negative", "neutral", "positive"] = Field(description="The likeliest.")
    negative: Probability
    neutral: Probability
    positive: Probability
    model_version: str = Field(description="Start of the digest of the model's weights.")


class CustomerSegment(BaseModel):
    """The segment that a customer is in."""

    segment: int
    name: str
    distance: float = Field(description="From the segment's centre, in standard deviations.")


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


class Customer(BaseModel):
    """One customer; the raw id is never repeated."""

    customer_key: str = Field(description="Pseudonym, 16 hexadecimal digits.")
    segment: CustomerSegment | None = Field(description="Null for a customer without one.")
    features: CustomerFeatures
    open_cases: list[OpenCase] = Field(description="The oldest first.")

    @classmethod
    def of(
        cls, row: dict[str, Any], *, customer_key: str, open_cases: list[dict[str, Any]]
    ) -> Self:
        """From a row of the snapshot, and the rows of the customer's open cases."""
        segment = None
        if row["segment"] is not None:
            segment = CustomerSegment.model_validate({**row, "name": row["segment_name"]})
        features = CustomerFeatures.model_validate(row)
        waiting = [OpenCase.model_validate(case) for case in open_cases]
        return cls(
            customer_key=customer_key, segment=segment, features=features, open_cases=waiting
        )


class Segment(BaseModel):
    """One kind of customer, in numbers."""

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


class Forecast(BaseModel):
    """What may sell of one product, day by day."""

    product_id: str
    name: str | None
    as_of: date = Field(description="Last day that was seen.")
    model: str = Field(description="The method that the backtest chose.")
    error: float = Field(description="Its mean absolute error there, units a day.")
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
