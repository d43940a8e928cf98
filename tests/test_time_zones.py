"""Which names are time zones, and what their clocks show."""

from datetime import datetime

import pytest

from gpu_pipeline.time_zones import is_time_zone, local_time


@pytest.mark.parametrize("name", ["UTC", "Europe/London", "America/New_York", "Asia/Kolkata"])
def test_names_of_the_iana_database_are_zones(name: str) -> None:
    assert is_time_zone(name)


@pytest.mark.parametrize("name", ["", "Europe", "Europe/Lundun", "../etc/passwd", "/etc", "GMT+25"])
def test_other_names_and_paths_are_none(name: str) -> None:
    assert not is_time_zone(name)


@pytest.mark.parametrize(
    ("zone", "utc", "local"),
    [
        ("UTC", "2026-03-29T23:30", "2026-03-29T23:30"),
        ("Europe/London", "2026-03-29T00:59", "2026-03-29T00:59"),
        ("Europe/London", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("Europe/London", "2026-10-25T01:00", "2026-10-25T01:00"),
        ("America/New_York", "2026-01-01T04:59", "2025-12-31T23:59"),
        ("Asia/Tokyo", "2025-12-31T15:00", "2026-01-01T00:00"),
    ],
)
def test_local_time_is_what_the_clocks_show(zone: str, utc: str, local: str) -> None:
    assert local_time(datetime.fromisoformat(utc), zone) == datetime.fromisoformat(local)
