"""Segments of any file: of orders, or of customers' own features."""

from gpu_pipeline.segment_files.segmenting import SegmentedFile, segment_file

__all__ = ["SegmentedFile", "segment_file"]
