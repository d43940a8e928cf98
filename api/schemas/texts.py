"""Texts to score, and how they sound."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.answers import Probability

__all__ = ["Sentiment", "Texts"]

TEXTS_MAX = 256
TEXT_CHARACTERS_MAX = 20_000

Text = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS_MAX)]


class Texts(BaseModel):
    """Texts to score."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"texts": ["Love it!", "The battery died in a week."]}]},
    )

    texts: list[Text] = Field(min_length=1, max_length=TEXTS_MAX)


class Sentiment(BaseModel):
    """How one text sounds; `unscored` says why where label and probabilities are null."""

    # "model_" names are pydantic's own unless it is told otherwise.
    model_config = ConfigDict(protected_namespaces=())

    label: Literal["negative", "neutral", "positive"] | None = Field(description="The likeliest.")
    negative: Probability | None
    neutral: Probability | None
    positive: Probability | None
    certain: bool = Field(description="Whether the label can be relied on: else leave it open.")
    language: str = Field(description="ISO 639-1 code; und where it can't be told.")
    unscored: Literal["language", "empty"] | None = Field(
        description="Why there is no label: the model doesn't know the language, or no words."
    )
    model_version: str = Field(
        description="Start of the digest of the model's weights, then the rules of reading."
    )
