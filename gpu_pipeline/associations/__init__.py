"""Associations: which items go together, as pairs of items that baskets hold both of."""

from gpu_pipeline.associations.counting import PairCounts
from gpu_pipeline.associations.measures import both_ways, measured, pairs, ranked, related

__all__ = ["PairCounts", "both_ways", "measured", "pairs", "ranked", "related"]
