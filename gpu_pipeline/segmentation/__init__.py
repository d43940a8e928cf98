"""Segments: customers grouped by how they buy, with names a merchant would use."""

from gpu_pipeline.segmentation.model import FEATURES, SegmentModel
from gpu_pipeline.segmentation.profiles import segment_profiles

__all__ = ["FEATURES", "SegmentModel", "segment_profiles"]
