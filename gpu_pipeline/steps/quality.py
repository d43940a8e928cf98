"""The step that looks at the sources as a whole, and at how much of what they say is understood."""

from gpu_pipeline.contracts import sources
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.quality.results import RESULTS, written
from gpu_pipeline.quality.tables import table_measurements
from gpu_pipeline.quality.unscored import unscored_measurements

__all__ = ["QUALITY"]


def _quality(work: Work) -> None:
    """Looks at references, freshness and volume again: what was missing may have come."""
    found = [
        *table_measurements(work.lake, as_of=work.as_of, run_id=work.run_id),
        *unscored_measurements(work.lake, as_of=work.as_of, run_id=work.run_id),
    ]
    failing = [f"{one.contract}: {one.rule}" for one in found if one.verdict == "warned"]
    work.facts.update(checked=len(found), warned=failing)
    work.commit(RESULTS, written(work.lake, work.writer, found), overwrite=False)


QUALITY = Step(
    name="quality", reads=sources(), uses=("text_sentiment",), writes=(RESULTS,), run=_quality
)
