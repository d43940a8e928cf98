"""Landing files to accepted and rejected rows in the lake."""

from gpu_pipeline.ingest.loading import FileReport, IngestReport, Plan, ingest, load, planned
from gpu_pipeline.ingest.mapping import FileMapping

__all__ = [
    "FileMapping",
    "FileReport",
    "IngestReport",
    "Plan",
    "ingest",
    "load",
    "planned",
]
