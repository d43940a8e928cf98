"""Customer value: who buys again, how often and for how much."""

from gpu_pipeline.customer_value.beta_geo import BetaGeoModel
from gpu_pipeline.customer_value.churn import ChurnModel
from gpu_pipeline.customer_value.evaluation import decile_table
from gpu_pipeline.customer_value.gamma_gamma import GammaGammaModel
from gpu_pipeline.customer_value.histories import purchase_histories
from gpu_pipeline.customer_value.intervals import value_interval, value_probability
from gpu_pipeline.customer_value.valuing import CustomerValueModel

__all__ = [
    "BetaGeoModel",
    "ChurnModel",
    "CustomerValueModel",
    "GammaGammaModel",
    "decile_table",
    "purchase_histories",
    "value_interval",
    "value_probability",
]
