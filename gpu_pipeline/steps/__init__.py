"""The steps of the product, a room each: what they read, what they write, and how."""

from gpu_pipeline.steps.customers import FEATURES
from gpu_pipeline.steps.demand import DEMAND, FORECAST
from gpu_pipeline.steps.funnels import FUNNEL
from gpu_pipeline.steps.products import PRODUCT_QUALITY
from gpu_pipeline.steps.quality import QUALITY
from gpu_pipeline.steps.related import RELATED
from gpu_pipeline.steps.reorder import REORDER
from gpu_pipeline.steps.segments import SEGMENTS
from gpu_pipeline.steps.serving import PUBLISH
from gpu_pipeline.steps.sessions import SESSIONS
from gpu_pipeline.steps.support import SUPPORT
from gpu_pipeline.steps.texts import SENTIMENT
from gpu_pipeline.steps.trends import TRENDS
from gpu_pipeline.steps.value import VALUE

__all__ = ["STEPS"]

STEPS = (
    QUALITY,
    SESSIONS,
    FUNNEL,
    FEATURES,
    SEGMENTS,
    DEMAND,
    FORECAST,
    REORDER,
    VALUE,
    SENTIMENT,
    TRENDS,
    SUPPORT,
    PRODUCT_QUALITY,
    RELATED,
    PUBLISH,
)
