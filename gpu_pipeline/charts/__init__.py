"""The chart kit: host frames in, plotly figures out, all in one look.

Colours are Okabe and Ito's (2008), which people with any colour vision can tell apart. Titles say
what is seen; without rows a figure says that there is nothing to see. Names are data: they are
escaped, since plotly takes tags in its texts.
"""

from gpu_pipeline.charts.behaviour import abandonment_river, funnel_steps, retention_map
from gpu_pipeline.charts.customers import segment_map
from gpu_pipeline.charts.demand import HISTORY_WEEKS, forecast_fan, series_fan
from gpu_pipeline.charts.inventory import stock_cover
from gpu_pipeline.charts.loading import SHOWN_REASONS, rejections_bar
from gpu_pipeline.charts.segments import (
    SHOWN_FEATURES,
    migration_river,
    segment_choice,
    segment_heat_map,
)
from gpu_pipeline.charts.value import value_calibration, value_lift
from gpu_pipeline.charts.voices import mood_line, sentiment_river

__all__ = [
    "HISTORY_WEEKS",
    "SHOWN_FEATURES",
    "SHOWN_REASONS",
    "abandonment_river",
    "forecast_fan",
    "funnel_steps",
    "migration_river",
    "mood_line",
    "rejections_bar",
    "retention_map",
    "segment_choice",
    "segment_heat_map",
    "segment_map",
    "sentiment_river",
    "series_fan",
    "stock_cover",
    "value_calibration",
    "value_lift",
]
