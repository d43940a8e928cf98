"""Landing files to accepted and rejected rows in the lake."""

from gpu_pipeline.ingest.loading import FileReport, IngestReport, Plan, ingest, load, planned
from gpu_pipeline.ingest.mapping import FileMapping
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
