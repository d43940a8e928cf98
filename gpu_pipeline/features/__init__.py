"""Features as of a moment: what customers look like, and how they compare."""

from gpu_pipeline.features.contacts import MESSAGE_COLUMNS
from gpu_pipeline.features.customers import (
    FEATURE_COLUMNS,
    customer_features,
    customer_measures,
)
from gpu_pipeline.features.mixing import PRODUCT_COLUMNS
from gpu_pipeline.features.mood import TEXT_COLUMNS
from gpu_pipeline.features.products import (
    product_quality,
    weekly_contacts,
    weekly_sales,
    weekly_texts,
)
from gpu_pipeline.features.rfm import SCORES, ScoreCuts, ValueCounts, rfm_scores
from gpu_pipeline.features.support import (
    CASE_COLUMNS,
    SUPPORT_COLUMNS,
    support_cases,
    support_daily,
)
from gpu_pipeline.features.visiting import SESSION_COLUMNS

__all__ = [
    "CASE_COLUMNS",
    "FEATURE_COLUMNS",
    "MESSAGE_COLUMNS",
    "PRODUCT_COLUMNS",
    "SCORES",
    "SESSION_COLUMNS",
    "SUPPORT_COLUMNS",
    "TEXT_COLUMNS",
    "ScoreCuts",
    "ValueCounts",
    "customer_features",
    "customer_measures",
    "product_quality",
    "rfm_scores",
    "support_cases",
    "support_daily",
    "weekly_contacts",
    "weekly_sales",
    "weekly_texts",
]
