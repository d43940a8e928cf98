"""Planted bots are found, whatever they do to hide, and hardly a person with them."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gpu_pipeline.sessions import sessionize
from gpu_pipeline.synthetic import FILES, generate


@pytest.mark.parametrize(("seed", "bots"), [(3, 0.5), (77, 0.5), (5, 0.1)])
def test_bots_of_every_kind_are_found_and_people_are_not_lost(
    tmp_path: Path, seed: int, bots: float
) -> None:
    shop = generate(tmp_path, customers=400, days=60, seed=seed, damage=0, bots=bots)
    events = pq.read_table(tmp_path / FILES["clickstream"]).to_pandas()
    planted = pq.read_table(shop.directory / "truth" / "bots.parquet").to_pandas()
    found = sessionize(events, customer="visitor_id", event="event_type")
    found = found.merge(planted[["visitor_id", "kind"]], on="visitor_id", how="left")
    is_bot, is_excluded = found["kind"].notna(), found["excluded_for"].notna()
    of_bots = found["events"][is_bot & is_excluded].groupby(found["kind"]).sum()
    share = of_bots / planted.groupby("kind")["events"].sum()
    if bots == 0.5:
        assert set(share.index) == {"crawler", "scraper", "monitor", "checker", "reader"}
    assert (share > 0.9).all()
    assert of_bots.sum() >= 0.95 * planted["events"].sum()
    of_people = found["events"][~is_bot]
    assert of_people[is_excluded].sum() <= 0.005 * of_people.sum()
