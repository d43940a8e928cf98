"""How soon the shifts of made shops are found, from landing files to alerts.

Nothing is given to it but what a run sees: texts are generated, loaded and scored by the bundled
model, and the alerts are held against the truth beside the files. A line a shift: what people said
of the product in the first three days, and when the first alert came.

    python benchmarks/trends_shop.py [--customers N] [--days D] [--seeds 1 2 3 4]
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from timing import machine

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.ingest import ingest
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps.texts import SENTIMENT
from gpu_pipeline.steps.trends import TRENDS
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import generate

SOON_DAYS = 2
LATE_DAYS = 7  # after the end of a shift an alert is about it still


@dataclass(frozen=True)
class Shop:
    """What a run told of a made shop, and what was planted in it."""

    alerts: pd.DataFrame
    daily: pd.DataFrame  # of products as a whole
    shifts: pd.DataFrame

    @property
    def product_years(self) -> float:
        days = (self.daily["day"].max() - self.daily["day"].min()).days + 1
        return float(self.daily["product_id"].nunique() * days / 365.25)


@dataclass(frozen=True)
class Shift:
    """A planted shift: its first days as the run saw them, and the days until the first alert."""

    product_id: str
    days: int
    a_day_before: float
    people: int
    negative: int
    positive: int
    found_after: int | None
    told_as: str


def watched(customers: int, days: int, seed: int) -> Shop:
    """A made shop, loaded, scored and watched."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "landing"
        folder.mkdir()
        generate(folder, customers=customers, days=days, seed=seed)
        backend = Backend.choose("cpu")
        lake = Lake.create(Path(name) / "lake", backend=backend, buckets=4)
        with backend.cluster():
            ingest(lake, folder)
            run(lake, [SENTIMENT, TRENDS], Config.load(lake=lake.path))
        daily = lake.read("product_sentiment_daily").compute()
        return Shop(
            alerts=lake.read("trend_alerts").compute(),
            daily=daily[daily["aspect"] == ""],
            shifts=pd.read_parquet(folder / "truth" / "sentiment_shifts.parquet"),
        )


def shifts(shop: Shop) -> Iterator[Shift]:
    """Each planted shift, and what came of it."""
    first, last = shop.daily["day"].min(), shop.daily["day"].max()
    for planted in shop.shifts.itertuples():
        since, until = (_moment(planted.since).normalize(), _moment(planted.until))
        own = shop.daily[shop.daily["product_id"] == planted.product_id]
        soon = own[own["day"].between(since, since + pd.Timedelta(days=SOON_DAYS))]
        raised = shop.alerts[
            (shop.alerts["product_id"] == planted.product_id)
            & shop.alerts["detected_at"].between(since, until + pd.Timedelta(days=LATE_DAYS))
        ].sort_values("detected_at")
        found = None if raised.empty else raised.iloc[0]
        yield Shift(
            product_id=str(planted.product_id),
            days=(min(until, last) - since).days + 1,
            a_day_before=own.loc[own["day"] < since, "people"].sum() / max((since - first).days, 1),
            people=int(soon["people"].sum()),
            negative=int(soon["negative_people"].sum()),
            positive=int(soon["positive_people"].sum()),
            found_after=None if found is None else (found["detected_at"] - since).days,
            told_as="" if found is None else f"{found['kind']} {found['aspect']}".strip(),
        )


def _moment(value: Any) -> pd.Timestamp:  # noqa: ANN401
    return pd.Timestamp(value).tz_localize(None)


def show(shop: Shop, seed: int) -> None:
    """Prints the shifts of a shop, and the alerts that were about none."""
    for one in shifts(shop):
        when = "no alert" if one.found_after is None else f"on day {one.found_after}: {one.told_as}"
        print(
            f"{seed:4}  {one.product_id:9}{one.days:5}{one.a_day_before:13.2f}"
            f"{one.people:8}{one.negative:10}{one.positive:10}   {when}",
            flush=True,
        )
    others = ~shop.alerts["product_id"].isin(shop.shifts["product_id"])
    print(f"{seed:4}  other alerts: {others.sum()} in {shop.product_years:.0f} product-years")


def main() -> None:
    """Makes, watches and shows the shops that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--seeds", type=int, nargs="*", default=(1, 2, 3, 4))
    given = parser.parse_args()
    print(machine())
    print(f"{given.customers:,} customers, {given.days} days; day 0 is the shift's first")
    print("seed  product   days  people/day  first three days: people, negative, positive")
    for seed in given.seeds:
        show(watched(given.customers, given.days, seed), seed)


if __name__ == "__main__":
    main()
