"""Segments: customers grouped by how they buy, with names a merchant would use."""

from gpu_pipeline.segmentation.describing import described, explained
from gpu_pipeline.segmentation.identity import Refit
from gpu_pipeline.segmentation.migration import NOWHERE, moves, segment_migration, summed_moves
from gpu_pipeline.segmentation.model import FEATURES, SegmentModel
from gpu_pipeline.segmentation.naming import renamings
from gpu_pipeline.segmentation.profiles import PROFILE_COLUMNS, segment_profiles
from gpu_pipeline.segmentation.reasons import REASONS, assignment_reasons
from gpu_pipeline.segmentation.traits import all_traits, segment_traits

__all__ = [
    "FEATURES",
    "NOWHERE",
    "PROFILE_COLUMNS",
    "REASONS",
    "Refit",
    "SegmentModel",
    "all_traits",
    "assignment_reasons",
    "described",
    "explained",
    "moves",
    "renamings",
    "segment_migration",
    "segment_profiles",
    "segment_traits",
    "summed_moves",
]
