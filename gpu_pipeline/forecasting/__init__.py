"""Demand forecasting: many series at once, a model chosen for each by backtest, with intervals."""

from gpu_pipeline.forecasting.forecaster import DemandForecaster
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["DemandForecaster", "Panel"]
