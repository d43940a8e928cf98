"""Sessions: the events of a customer that belong together, of any frame, at once or bit by bit."""

from gpu_pipeline.sessions.advancing import (
    Advanced,
    OpenSessions,
    advance,
    lies_in,
    rebuild,
    stretches,
)
from gpu_pipeline.sessions.clicks import CLICK_COLUMNS, click_sessions, paid_clicks
from gpu_pipeline.sessions.events import Columns, check_currencies, check_event_types
from gpu_pipeline.sessions.rule import SessionRule
from gpu_pipeline.sessions.sessionizing import sessionize, sessions_of

__all__ = [
    "CLICK_COLUMNS",
    "Advanced",
    "Columns",
    "OpenSessions",
    "SessionRule",
    "advance",
    "check_currencies",
    "check_event_types",
    "click_sessions",
    "lies_in",
    "paid_clicks",
    "rebuild",
    "sessionize",
    "sessions_of",
    "stretches",
]
