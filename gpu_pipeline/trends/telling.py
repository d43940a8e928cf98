"""Telling: an alert in plain words."""

from collections.abc import Mapping
from typing import Any

__all__ = ["told"]

_LEAST_FACTOR = 1.5
_SOUNDS = {"worse": "negative", "better": "positive", "burst": "negative"}


def told(alert: Mapping[str, Any], name: str) -> str:
    """One sentence on a row of `trend_alerts` about the product of that name.

    >>> told({"aspect": "battery", "kind": "worse", "negative_share": 0.55,
    ...       "usual_negative_share": 0.18, "people_a_day": 8.0, "usual_people_a_day": 2.0,
    ...       "opened_at": "2026-06-17T00:00:00"}, "Nova 5")
    'Nova 5, battery: from 18 % to 55 % negative, 4.0x as many people, since 2026-06-17'
    """
    about = f"{name}, {alert['aspect']}" if alert["aspect"] else name
    sound = _SOUNDS[alert["kind"]]
    before, now = alert[f"usual_{sound}_share"], alert[f"{sound}_share"]
    said = [f"from {before:.0%} to {now:.0%} {sound}".replace("%", " %")]
    usual = alert["usual_people_a_day"]
    factor = alert["people_a_day"] / usual if usual > 0 else 0.0
    many = f"{factor:.1f}x as many people"
    if alert["kind"] == "burst":
        said = [many, *said]
    elif factor >= _LEAST_FACTOR:
        said.append(many)
    return f"{about}: {', '.join(said)}, since {str(alert['opened_at'])[:10]}"
