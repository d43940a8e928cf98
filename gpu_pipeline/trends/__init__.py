"""Trends: what changed of late in what people say, and words that nobody listed beforehand."""

from gpu_pipeline.trends.daily import MOOD_COLUMNS, WHOLE, daily_counts, summed
from gpu_pipeline.trends.examples import candidates, references, with_examples
from gpu_pipeline.trends.moods import Moods, moods_and_alerts
from gpu_pipeline.trends.rising import BASE_WEEKS, TermCounts, rises, term_counts, topics
from gpu_pipeline.trends.telling import told
from gpu_pipeline.trends.terms import digest_of, name_words, terms_of
from gpu_pipeline.trends.watching import FALSE_ALARM_YEARS

__all__ = [
    "BASE_WEEKS",
    "FALSE_ALARM_YEARS",
    "MOOD_COLUMNS",
    "WHOLE",
    "Moods",
    "TermCounts",
    "candidates",
    "daily_counts",
    "digest_of",
    "moods_and_alerts",
    "name_words",
    "references",
    "rises",
    "summed",
    "term_counts",
    "terms_of",
    "told",
    "topics",
    "with_examples",
]
