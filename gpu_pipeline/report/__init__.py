"""The report: a lake's answers as small frames, and as one HTML page with pictures."""

from gpu_pipeline.report.answering import Answers, answers
from gpu_pipeline.report.page import write_report

__all__ = ["Answers", "answers", "write_report"]
