"""Text models: lists of strings in, arrays out. Knows neither tables nor HTTP."""

from typing import TYPE_CHECKING

from nlp.errors import ModelError

if TYPE_CHECKING:
    from nlp.model import SentimentModel

__all__ = ["ModelError", "SentimentModel"]


def __getattr__(name: str) -> object:
    """SentimentModel, imported when it is first asked for."""
    if name == "SentimentModel":
        from nlp.model import SentimentModel

        return SentimentModel
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
