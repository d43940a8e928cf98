"""The sentiment model: any sequence classifier in a folder, and the bundled one."""

from nlp.model.devices import Device, Precision
from nlp.model.folders import BUNDLED, version_of
from nlp.model.labels import LABELS
from nlp.model.sentiment import SentimentModel

__all__ = ["BUNDLED", "LABELS", "Device", "Precision", "SentimentModel", "version_of"]
