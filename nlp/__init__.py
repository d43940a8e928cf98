"""Text models: lists of strings in, arrays out. Knows neither tables nor HTTP."""

from nlp.model import LABELS, ModelError, SentimentModel

__all__ = ["LABELS", "ModelError", "SentimentModel"]
