"""The lake: Delta tables bucketed by customer; read a version, commit a version."""

from gpu_pipeline.store.lake import Lake
from gpu_pipeline.store.parts import Part, write_parts
from gpu_pipeline.store.writer import Writer

__all__ = ["Lake", "Part", "Writer", "write_parts"]
