"""What a lake says about visits: how far they get, by which way, and what is left behind."""

from datetime import timedelta

import pandas as pd

__all__ = ["VISIT_STEPS", "visit_funnel", "visits_by_channel", "visits_of_late"]

# The steps of a visit as funnel_daily counts them, and how they are told.
VISIT_STEPS = {
    "sessions": "visit",
    "viewed": "view",
    "carted": "cart",
    "checked_out": "checkout",
    "purchased": "purchase",
}
_DAYS = 28
_COUNTS = [*VISIT_STEPS, "bounced", "abandoned_carts", "views"]


def visits_of_late(daily: pd.DataFrame) -> pd.DataFrame:
    """The rows of `funnel_daily` of the last 28 days with a visit."""
    return daily[daily["day"] > daily["day"].max() - timedelta(days=_DAYS)].reset_index(drop=True)


def visit_funnel(daily: pd.DataFrame) -> pd.DataFrame:
    """step, name, entries, reached, censored and share_of_entries of some rows of funnel_daily.

    Visits have ended: none is censored. No rows where there was no visit.
    """
    reached = daily[list(VISIT_STEPS)].sum().to_numpy()
    count = len(reached) if reached[0] else 0
    return pd.DataFrame(
        {
            "step": range(1, count + 1),
            "name": pd.Series(list(VISIT_STEPS.values())[:count], dtype="str"),
            "entries": reached[0],
            "reached": reached[:count],
            "censored": 0,
            "share_of_entries": reached[:count] / max(reached[0], 1),
        }
    )


def visits_by_channel(daily: pd.DataFrame) -> pd.DataFrame:
    """A row a channel, most visits first, and a last one "all".

    channel, sessions, pages_per_session, bounce_rate, cart_abandonment_rate (missing without a
    cart) and conversion_rate.
    """
    everything = daily.assign(channel="all")
    both = pd.concat([daily, everything], ignore_index=True)
    total = both.groupby("channel", sort=True)[_COUNTS].sum().reset_index()
    ordered = total.assign(last=total["channel"] == "all").sort_values(
        ["last", "sessions"], ascending=[True, False], ignore_index=True
    )
    carted = ordered["carted"].where(ordered["carted"] > 0)
    rates = ordered.assign(
        pages_per_session=ordered["views"] / ordered["sessions"],
        bounce_rate=ordered["bounced"] / ordered["sessions"],
        cart_abandonment_rate=ordered["abandoned_carts"] / carted,
        conversion_rate=ordered["purchased"] / ordered["sessions"],
    )
    return rates[
        [
            *("channel", "sessions", "pages_per_session", "bounce_rate"),
            *("cart_abandonment_rate", "conversion_rate"),
        ]
    ]
