"""The step that says how far visits got, day by day."""

from gpu_pipeline.funnels import SESSION_COLUMNS, daily_funnel
from gpu_pipeline.pipeline import Step, Work

__all__ = ["FUNNEL"]


def _funnel(work: Work) -> None:
    sessions = work.read("sessions", SESSION_COLUMNS)
    table = daily_funnel(sessions, time_zone=work.lake.time_zone)
    counts = {name: int(table[name].sum()) for name in ("sessions", "carted", "purchased")}
    work.facts.update(days=int(table["day"].nunique()), **counts)
    work.replace("funnel_daily", table)


FUNNEL = Step(
    name="funnel",
    reads=("sessions",),
    writes=("funnel_daily",),
    run=_funnel,
    dated=False,
)
