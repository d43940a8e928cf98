"""The lake: Delta tables bucketed by customer; read a version, commit a version."""

from gpu_pipeline.store.lake import Condition, Lake
from gpu_pipeline.store.parts import Part, write_parts
from gpu_pipeline.store.writer import Writer

__all__ = ["Condition", "Lake", "Part", "Writer", "write_parts"]
