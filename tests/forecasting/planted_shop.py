"""A shop whose sales follow from what is known ahead, so that a test knows what moves them."""

import numpy as np
import pandas as pd

from forecasting.panels import MONDAY

HORIZON = 14
KNOWN_AHEAD = ["price", "promotion", "holiday"]
_WEEKDAYS = np.array([0.8, 0.8, 0.9, 1.0, 1.3, 1.6, 0.6])
_ELASTICITY = -2.0
_PROMOTED, _ON_HOLIDAY, _DAY_BEFORE = 1.8, 0.3, 1.7  # times what is usual
_BETWEEN_HOLIDAYS = 23  # days, so that they fall on all weekdays


def planted_shop(rng: np.random.Generator, *, series: int = 48, days: int = 240) -> pd.DataFrame:
    """Every series on every day: what was sold, what could be (`demand`), and what was known.

    Of each series some weeks are on promotion, others are cheap; holidays are the same for all. On
    a twentieth of the days there is no `stock`.
    """
    names = [f"s{i:02d}" for i in range(series)]
    day = np.arange(days)
    level = rng.uniform(4, 40, series)[:, None]
    usual_price = rng.uniform(2, 9, series).round(2)[:, None]
    week = day // 7
    is_cheap = rng.random((series, week[-1] + 1))[:, week] < 0.2
    promotion = rng.random((series, week[-1] + 1))[:, week] < 0.15
    price = usual_price * np.where(is_cheap, 0.7, 1.0)
    is_holiday = day % _BETWEEN_HOLIDAYS == _BETWEEN_HOLIDAYS - 1
    before = np.roll(is_holiday, -1)
    expected = level * _WEEKDAYS[day % 7] * (price / usual_price) ** _ELASTICITY
    expected = expected * np.where(promotion, _PROMOTED, 1.0)
    expected = expected * np.where(is_holiday, _ON_HOLIDAY, np.where(before, _DAY_BEFORE, 1.0))
    demand = rng.poisson(expected)
    stock = np.where(rng.random((series, days)) < 0.05, 0, 999)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(names, days),
            "ds": np.tile(pd.date_range(MONDAY, periods=days, unit="us"), series),
            "y": np.where(stock == 0, 0, demand).ravel(),
            "stock": stock.ravel(),
            "price": price.ravel(),
            "promotion": promotion.ravel(),
            "holiday": np.tile(np.where(is_holiday, "feast", None), series),
            "group": np.repeat([f"g{i % 3}" for i in range(series)], days),
            "city": np.repeat([f"c{i % 2}" for i in range(series)], days),
            "demand": demand.ravel(),
            "expected": expected.ravel(),
        }
    )


def split(shop: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The history, and what is known of the last days; those are the future's truth too."""
    last = shop["ds"].max() - pd.Timedelta(days=HORIZON)
    history = shop[shop["ds"] <= last].drop(columns=["demand", "expected"])
    return history.reset_index(drop=True), shop[shop["ds"] > last].reset_index(drop=True)
