"""Governance: what is done to a whole lake for the sake of the people in it."""

from gpu_pipeline.governance.rotation import RotationReport, rotate_key

__all__ = ["RotationReport", "rotate_key"]
