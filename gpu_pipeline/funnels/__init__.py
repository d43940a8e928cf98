"""Funnels: which way customers go, how far they get, and how long it takes them."""

from gpu_pipeline.funnels.asking import funnel, journeys
from gpu_pipeline.funnels.daily import SESSION_COLUMNS, daily_funnel
from gpu_pipeline.funnels.rule import Funnel, FunnelStep

__all__ = ["SESSION_COLUMNS", "Funnel", "FunnelStep", "daily_funnel", "funnel", "journeys"]
