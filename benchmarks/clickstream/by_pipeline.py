"""The contender that needs no code: the shipped contract, one call."""

from pathlib import Path

from clickstream.rules import Counts
from gpu_pipeline import Lake
from gpu_pipeline.backend import Backend
from gpu_pipeline.ingest import LoadOptions, ingest


def load(source: Path, folder: Path, memory_bytes: str = "") -> Counts:
    """Loads the file into a new lake, in about the memory that it may take."""
    options = LoadOptions(memory_bytes=int(memory_bytes)) if memory_bytes else LoadOptions()
    lake = Lake.create(folder / "lake", backend=Backend.choose("cpu"))
    with lake.backend.cluster():
        (report,) = ingest(lake, source, options=options).files
    return Counts(report.accepted, report.rejected, report.duplicates)
