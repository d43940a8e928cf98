"""What reports look like in a terminal: loads, runs, checks and answers as tables."""

from gpu_pipeline.summary.checks import show_drift, show_measured, show_verdicts
from gpu_pipeline.summary.found import as_records, frame_records, show_answers
from gpu_pipeline.summary.loads import show_loads, show_preview
from gpu_pipeline.summary.runs import show_compaction, show_rotation, show_run

__all__ = [
    "as_records",
    "frame_records",
    "show_answers",
    "show_compaction",
    "show_drift",
    "show_loads",
    "show_measured",
    "show_preview",
    "show_rotation",
    "show_run",
    "show_verdicts",
]
