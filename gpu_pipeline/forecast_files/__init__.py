"""Forecasts of any file of series: of products, stores, meters."""

from gpu_pipeline.forecast_files.forecasting import ForecastedFile, forecast_file

__all__ = ["ForecastedFile", "forecast_file"]
