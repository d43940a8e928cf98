"""Sessions: the events of a customer that belong together, of any frame, at once or bit by bit."""

from gpu_pipeline.sessions.advancing import Advanced, OpenSessions, advance, rebuild
from gpu_pipeline.sessions.events import Columns
from gpu_pipeline.sessions.rule import SessionRule
from gpu_pipeline.sessions.sessionizing import sessionize, sessions_of

__all__ = [
    "Advanced",
    "Columns",
    "OpenSessions",
    "SessionRule",
    "advance",
    "rebuild",
    "sessionize",
    "sessions_of",
]
