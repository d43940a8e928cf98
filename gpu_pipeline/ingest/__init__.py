"""Landing files to accepted and rejected rows in the lake."""

from gpu_pipeline.ingest.loading import FileReport, IngestReport, ingest, load
from gpu_pipeline.ingest.mapping import FileMapping
from gpu_pipeline.ingest.planning import Plan, planned
from gpu_pipeline.ingest.preview import Preview, previewed

__all__ = [
    "FileMapping",
    "FileReport",
    "IngestReport",
    "Plan",
    "Preview",
    "ingest",
    "load",
    "planned",
    "previewed",
]
