"""Customer value: who buys again, how often and for how much."""

from gpu_pipeline.customer_value.beta_geo import BetaGeoModel
from gpu_pipeline.customer_value.gamma_gamma import GammaGammaModel

__all__ = ["BetaGeoModel", "GammaGammaModel"]
