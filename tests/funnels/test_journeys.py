"""Journeys against an enumeration of all chains of events, however the events arrive."""

from datetime import datetime, timedelta, timezone
from typing import Any

import dask.dataframe as dd
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
# What comes at once after it is on a whole hour, as all events are.
MOMENT = 60 * HOUR - 1
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
            "event_type": pd.Series(
                rng.choice(np.array(KINDS, object), count, p=likely), dtype="str"
            ),
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
    wanted = by_hand(frame, FUNNELS[name], MOMENT)
    assert by_kernel(frame, FUNNELS[name], MOMENT) == wanted
    # Every depth, and journeys that are and are not decided, occur.
    depths = {len(times) for _, times, _, _ in wanted}
    assert depths == set(range(1, len(FUNNELS[name].steps) + 1))
    assert {is_censored for *_, is_censored in wanted} == {False, True}


def events_of(rows: list[tuple[Any, float, str | None, str | None]]) -> pd.DataFrame:
    """Rows of (customer, hours, event type, channel) as events."""
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [[], [], [], []]
    return pd.DataFrame(
        {
            "customer_key": pd.Series(columns[0], dtype=None if rows else "int64"),
            "occurred_at": (np.array(columns[1], "float64") * HOUR).astype("M8[us]"),
            "event_type": pd.Series(columns[2], dtype="str"),
            "channel": pd.Series(columns[3], dtype="str"),
        }
    )


def drawn(customers: st.SearchStrategy[Any]) -> st.SearchStrategy[pd.DataFrame]:
    kinds, channels = st.sampled_from(KINDS), st.sampled_from(CHANNELS)
    row = st.tuples(customers, st.integers(0, 72), kinds, channels)
    one = st.tuples(customers, st.integers(0, 72), st.just("view"), channels)
    # Events of which none takes a step are refused: see below.
    return st.builds(lambda rows, view: events_of([*rows, view]), st.lists(row, max_size=40), one)


NUMBERS = st.sampled_from([-(2**63), -1, 0, 7, 2**63 - 1])
TEXTS = st.sampled_from(["V1", "ann", "Ünal", ""])
ANY_FUNNEL = st.sampled_from(list(FUNNELS.values()))


@settings(deadline=None, max_examples=40)
@given(drawn(NUMBERS) | drawn(TEXTS), ANY_FUNNEL, st.randoms(use_true_random=False))
def test_the_order_in_which_events_arrive_changes_nothing(
    frame: pd.DataFrame, funnel: Funnel, rng: Any
) -> None:
    places = list(range(len(frame)))
    rng.shuffle(places)
    shuffled = frame.iloc[places]
    found = by_kernel(shuffled, funnel, 60 * HOUR)
    assert found == by_kernel(frame, funnel, 60 * HOUR)
    assert found == by_hand(frame, funnel, 60 * HOUR)


@settings(deadline=None, max_examples=30)
@given(drawn(NUMBERS), ANY_FUNNEL, st.integers(1, 4))
def test_neither_pieces_nor_threads_change_a_thing(
    frame: pd.DataFrame, funnel: Funnel, rows: int
) -> None:
    class Small(Backend):
        """A device that takes few rows at once."""

        @property
        def rows_at_once(self) -> int:
            return rows

    in_order = frame.sort_values(["customer_key", "occurred_at"], ignore_index=True)
    asked = Inquiry(funnel=funnel, columns=Columns(by=("channel",)), as_of=60 * HOUR)

    def traced(events: pd.DataFrame, backend: Backend, threads: int | None) -> list[Any]:
        found = journeys_of(events, asked, backend, threads=threads)
        who = events["customer_key"].to_numpy()[found.row]
        times: list[list[int]] = [[] for _ in who]
        for which, when in found.onward:
            for journey, time in zip(which, when, strict=True):
                times[journey].append(int(time))
        return sorted(zip(who, found.entered_at, found.depth, times, strict=True))

    wanted = traced(frame, Backend.choose("cpu"), None)
    for events in (frame, in_order):
        for threads in (1, 3):
            assert traced(events, Small("cpu", "cpu: small"), threads) == wanted


@settings(deadline=None, max_examples=20)
@given(drawn(NUMBERS), drawn(NUMBERS), ANY_FUNNEL)
def test_events_after_the_moment_change_nothing(
    frame: pd.DataFrame, more: pd.DataFrame, funnel: Funnel
) -> None:
    later = more.assign(occurred_at=more["occurred_at"] + pd.Timedelta(hours=73))
    both = pd.concat([frame, later], ignore_index=True)
    assert by_kernel(both, funnel, 72 * HOUR) == by_kernel(frame, funnel, 72 * HOUR)


@settings(deadline=None, max_examples=15)
@given(drawn(NUMBERS) | drawn(TEXTS), ANY_FUNNEL, st.integers(1, 4))
def test_a_dask_frame_gives_the_same_journeys(
    frame: pd.DataFrame, funnel: Funnel, partitions: int
) -> None:
    with Backend.choose("cpu").cluster():
        lazy = dd.from_pandas(frame, npartitions=partitions, sort=False)
        found = journeys(lazy, funnel, by=["channel"])
        assert isinstance(found, dd.DataFrame)
        wanted = journeys(frame, funnel, by=["channel"])
        assert found._meta.dtypes.to_dict() == wanted.dtypes.to_dict()
        key = ["customer_key", "entered_at"]
        assert_frames_equal(found.compute().sort_values(key, ignore_index=True), wanted)


def test_a_journey_of_one_product_needs_the_same_product_at_every_step() -> None:
    rows = [(1, 0, "view", "a"), (1, 1, "view", "b"), (1, 2, "cart", "b"), (1, 3, "cart", None)]
    events = events_of([*rows, (1, 4, "purchase", "a")]).rename(columns={"channel": "product_id"})
    found = journeys(events, Funnel.of(STEPS, same=["product_id"]))
    assert found["product_id"].tolist() == ["a", "b"]
    assert found["reached"].tolist() == [1, 2]
    # Without it, the cart of the one and the purchase of the other are steps of one journey.
    assert journeys(events, Funnel.of(STEPS))["reached"].tolist() == [3]


def test_what_lies_between_two_steps_of_one_product_may_be_of_another() -> None:
    rows = [
        (1, 0, "view", "a"),
        (1, 1, "remove", "b"),
        (1, 2, "cart", "a"),
        (1, 3, "purchase", "a"),
    ]
    events = events_of(rows).rename(columns={"channel": "product_id"})
    for mode in ("ordered", "strict"):
        exclude = ["remove"] if mode == "ordered" else []
        rule = Funnel.of(STEPS, mode=mode, exclude=exclude, same=["product_id"])
        found = journeys(events, rule)
        assert found["reached"].tolist() == [3]
    assert journeys(events, Funnel.of(STEPS, exclude=["remove"]))["reached"].tolist() == [1]


def test_a_day_is_one_of_the_time_zone_and_a_week_begins_on_monday() -> None:
    # Midnight in Berlin is 22:00 UTC before the clocks go back, and 23:00 after.
    times = ["2026-10-24 21:59", "2026-10-24 22:00", "2026-10-25 22:59", "2026-10-25 23:00"]
    events = pd.DataFrame({"customer_key": range(4), "occurred_at": pd.to_datetime(times)})
    events = events.assign(event_type="view")
    rule = Funnel.of(["view", "cart"])
    found = journeys(events, rule, time_zone="Europe/Berlin")
    days = ["2026-10-24", "2026-10-25", "2026-10-25", "2026-10-26"]
    assert found["entry_day"].astype("str").str.slice(0, 10).tolist() == days
    weeks = journeys(events, rule, time_zone="Europe/Berlin", per="week")["entry_week"]
    mondays = ["2026-10-19", "2026-10-19", "2026-10-19", "2026-10-26"]
    assert weeks.astype("str").str.slice(0, 10).tolist() == mondays
    many = pd.concat([events] * 2_000, ignore_index=True)
    again = journeys(many, rule, time_zone="Europe/Berlin")
    assert_frames_equal(again, found)


def test_over_all_of_time_a_customer_has_one_journey() -> None:
    events = events_of([(1, 0, "view", None), (1, 30, "view", None), (1, 31, "cart", None)])
    rule = Funnel.of(["view", "cart"], within="2h")
    assert journeys(events, rule)["reached"].tolist() == [1, 2]
    (found,) = journeys(events, rule, per=None).to_dict("records")
    assert found["reached"] == 2
    assert "entry_day" not in found


def test_columns_of_other_names_and_kinds_are_taken_as_they_are() -> None:
    events = events_of([(1, 0, "view", None), (1, 1, "cart", None)])
    renamed = pd.DataFrame(
        {
            "who": events["customer_key"].astype("uint8"),
            "when": ["1970-01-01T01:00:00+01:00", "1970-01-01T01:00:00Z"],
            "what": events["event_type"].astype("category"),
        }
    )
    renamed.index = pd.Index([7, 3])
    rule = Funnel.of(["view", "cart"], within="1h")
    found = journeys(renamed, rule, customer="who", time="when", event="what")
    assert found["who"].dtype == "uint8"
    assert found["reached"].tolist() == [2]


def test_a_later_event_decides_nothing_before_its_time_has_passed() -> None:
    events = events_of([(1, 0, "view", None), (2, 5, "view", None), (3, 10, "search", None)])
    rule = Funnel.of(["view", "cart"], within="6h")
    assert journeys(events, rule)["censored"].tolist() == [False, True]
    assert journeys(events, rule, as_of=pd.Timestamp(5 * HOUR, unit="us"))["censored"].all()
    in_berlin = datetime(1970, 1, 1, 7, tzinfo=timezone(timedelta(hours=1)))
    assert journeys(events, rule, as_of=in_berlin)["censored"].tolist() == [False, True]
