"""The step that makes sessions of clicks."""

from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.sessions import CLICK_COLUMNS, SessionRule, click_sessions
from gpu_pipeline.store import Part

__all__ = ["SESSIONS"]


def _sessions(work: Work) -> None:
    """Every bucket by itself: it holds its customers' whole histories."""
    clicks = work.read("clickstream", CLICK_COLUMNS.names).to_delayed()
    made = compute(
        *(delayed(_sessions_written)(work, some, number) for number, some in enumerate(clicks))
    )
    for place, table in enumerate(("sessions", "open_sessions")):
        work.commit(table, [part for parts in made for part in parts[place]], overwrite=True)


def _sessions_written(work: Work, clicks: Frame, number: int) -> list[list[Part]]:
    made = click_sessions(clicks, work.as_of, SessionRule(), work.lake.backend)
    tables = (contract("sessions"), contract("open_sessions"))
    return [
        work.writer.write(rows, table, number=number)
        for rows, table in zip(made, tables, strict=True)
    ]


SESSIONS = Step(
    name="sessions",
    reads=("clickstream",),
    writes=("sessions", "open_sessions"),
    run=_sessions,
    dated=False,
)
