"""Customers whose odds to leave are known."""

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.customer_value.churn import CHURN_FEATURES, TRAITS, churn_features

CPU = Backend.choose("cpu")


def world(customers: int, *, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """(features, the true risk of each, who left): late and discounted ones leave."""
    rng = np.random.default_rng(seed)
    orders = rng.integers(1, 9, customers)
    gap = np.where(orders > 1, rng.uniform(5, 60, customers), np.nan)
    traits = pd.DataFrame(
        {
            "days_since_last_order": rng.exponential(60, customers),
            "tenure_days": rng.uniform(60, 400, customers),
            "orders": orders,
            "revenue": rng.integers(500, 90_000, customers),
            "products": orders,
            "return_rate": rng.choice([0, 0.5], customers),
            "discount_share": rng.choice([0, 0.2], customers),
            "orders_last_90_days": rng.integers(0, 3, customers),
            "revenue_last_90_days": rng.integers(0, 9000, customers),
            "mean_days_between_orders": gap,
            "sd_days_between_orders": np.where(orders > 2, gap / 3, np.nan),
        }
    )[list(TRAITS)]
    features = churn_features(traits, rng.uniform(0, 1, customers), CPU)[list(CHURN_FEATURES)]
    odds = 0.9 * features["days_since_last_order"] + 8 * traits["discount_share"] - 4.5
    risk = (1 / (1 + np.exp(-odds))).to_numpy()
    return features, risk, rng.random(customers) < risk
