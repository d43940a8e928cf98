"""Forecasts of any file of series."""
