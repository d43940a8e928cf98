"""Journeys against an enumeration of all chains of events, however the events arrive."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from journeys_by_hand import Event, journeys_by_hand

from gpu_pipeline.backend import Backend
from gpu_pipeline.funnels import Funnel, FunnelStep, journeys
from gpu_pipeline.funnels.events import Columns
from gpu_pipeline.funnels.tracing import Inquiry, journeys_of

HOUR = 3_600_000_000
DAY = 24 * HOUR
KINDS = ("view", "cart", "purchase", "remove", "search", None)
CHANNELS = ("ads", "email", None)
STEPS = ("view", "cart", "purchase")
FUNNELS = {
    "in order": Funnel.of(STEPS, within="30h"),
    "in order, in time": Funnel.of(STEPS, within="30h", step_within={"cart": "6h"}),
    "every step in time": Funnel.of(STEPS, within="20h", step_within="8h"),
    "nothing taken out": Funnel.of(STEPS, within="3d", exclude=["remove"]),
    "nothing taken out between": Funnel.of(
        ["view", "cart", FunnelStep("purchase", exclude=("remove", "search"), within="9h")],
        within="2d",
        exclude=["remove"],
    ),
    "there and back": Funnel.of(
        ["view", "cart", FunnelStep("again", ("view",)), FunnelStep("at last", ("purchase",))],
        within="3d",
    ),
    "view and view": Funnel.of(["view", FunnelStep("again", ("view", "search"))], within="5h"),
    "from the letter": Funnel.of(
        [
            FunnelStep("letter", ("view", "search"), where={"channel": "email"}),
            FunnelStep("any", ("view", "cart")),
            "purchase",
        ],
        within="2d",
        step_within="1d",
    ),
    "one after the other": Funnel.of(STEPS, mode="strict", within="30h"),
    "one soon after the other": Funnel.of(
        STEPS, mode="strict", within="30h", step_within={"purchase": "4h"}
    ),
    "in any order": Funnel.of(STEPS, mode="any", within="20h"),
    "in any order, nothing taken out": Funnel.of(
        ["view", FunnelStep("want", ("cart", "view", "search")), "purchase"],
        mode="any",
        within="2d",
        exclude=["remove"],
    ),
}


def random_events(rng: np.random.Generator, customers: int) -> pd.DataFrame:
    """Up to eight events each, within three days and on whole hours, so that many coincide."""
    customer = np.repeat(np.arange(customers), rng.integers(0, 9, customers))
    rng.shuffle(customer)
    count = len(customer)
    likely = [0.3, 0.24, 0.24, 0.1, 0.1, 0.02]
    return pd.DataFrame(
        {
            "customer_key": customer,
            "occurred_at": (rng.integers(0, 72, count) * HOUR).astype("M8[us]"),
            "event_type": pd.Series(rng.choice(np.array(KINDS, object), count, p=likely), dtype="str"),
            "channel": pd.Series(rng.choice(np.array(CHANNELS, object), count), dtype="str"),
        }
    )


def by_hand(frame: pd.DataFrame, funnel: Funnel, as_of: int) -> list[tuple[Any, ...]]:
    """(customer, times of the steps, channel, censored), in order of customer and entry."""
    host = frame.astype(object).where(frame.notna(), None)
    times = frame["occurred_at"].astype("int64")
    of_customer: dict[Any, list[Event]] = {}
    rows = zip(host["customer_key"], times, host["event_type"], host["channel"], strict=True)
    for customer, time, kind, channel in rows:
        of_customer.setdefault(customer, []).append(Event(time, kind, channel))
    return [
        (customer, one.times, one.channel, one.is_censored)
        for customer, events in sorted(of_customer.items())
        for one in journeys_by_hand(events, funnel, as_of=as_of, period=DAY)
    ]


def by_kernel(frame: pd.DataFrame, funnel: Funnel, as_of: int) -> list[tuple[Any, ...]]:
    moment = pd.Timestamp(as_of, unit="us").to_pydatetime()
    found = journeys(frame, funnel, by=["channel"], as_of=moment)
    assert found["entry_day"].eq(found["entered_at"].dt.floor("D")).all()
    names = ["entered_at", *(f"step_{n}_at" for n in range(2, len(funnel.steps) + 1))]
    steps = found[names].astype("int64").where(found[names].notna(), -1).to_numpy()
    times = [tuple(int(t) for t in row if t >= 0) for row in steps]
    assert [len(row) for row in times] == found["reached"].tolist()
    channel = found["channel"].astype(object).where(found["channel"].notna(), None)
    return list(zip(found["customer_key"], times, channel, found["censored"], strict=True))


@pytest.mark.parametrize("name", FUNNELS)
def test_journeys_of_a_hundred_thousand_customers_are_those_found_by_trying_every_chain(
    name: str,
) -> None:
    rng = np.random.default_rng([20260601, list(FUNNELS).index(name)])
    frame = random_events(rng, 100_000 // len(FUNNELS) + 1)
    wanted = by_hand(frame, FUNNELS[name], 60 * HOUR)
    assert by_kernel(frame, FUNNELS[name], 60 * HOUR) == wanted
    # Every depth, and journeys that are and are not decided, occur.
    depths = {len(times) for _, times, _, _ in wanted}
    assert depths == set(range(1, len(FUNNELS[name].steps) + 1))
    assert {is_censored for *_, is_censored in wanted} == {False, True}
