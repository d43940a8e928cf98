"""Forecasting: panels, the models, the backtest, intervals, and the tables of the pipeline."""
