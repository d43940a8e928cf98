"""Landing files to accepted and rejected rows in the lake."""

from gpu_pipeline.ingest.ledger import FileReport
from gpu_pipeline.ingest.loading import IngestReport, LoadOptions, ingest, load
from gpu_pipeline.ingest.mapping import FileMapping
from gpu_pipeline.ingest.planning import Plan, planned
from gpu_pipeline.ingest.preview import Example, Preview, previewed

__all__ = [
    "Example",
    "FileMapping",
    "FileReport",
    "IngestReport",
    "LoadOptions",
    "Plan",
    "Preview",
    "ingest",
    "load",
    "planned",
    "previewed",
]
