import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.serving import LOOK_SECONDS, Published
from gpu_pipeline.errors import LakeError
from gpu_pipeline.store import Lake


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def published(lake: Lake, clock: Clock) -> Published:
    return Published(lake.path / "serving", clock=clock)


def version(published: Published) -> str:
    with published.reading() as snapshot:
        return snapshot.version


def test_a_new_snapshot_is_taken_at_the_next_look(
    published: Published, publish: Callable[..., Path], clock: Clock
) -> None:
    publish()
    assert version(published) == "000001"
    publish()
    clock.seconds += LOOK_SECONDS * 0.99
    assert version(published) == "000001"
    clock.seconds += LOOK_SECONDS * 0.02
    assert version(published) == "000002"
    published.close()


def test_the_first_snapshot_is_taken_too(
    published: Published, publish: Callable[..., Path], clock: Clock
) -> None:
    assert published.note() is None
    with pytest.raises(LakeError, match="Nothing is published"), published.reading():
        pass
    publish(run_id="first run")
    clock.seconds += LOOK_SECONDS
    note = published.note()
    assert note is not None
    assert (note.version, note.run_id) == ("000001", "first run")
    published.close()


def test_a_reader_keeps_its_snapshot_until_it_is_done(
    published: Published, publish: Callable[..., Path], clock: Clock
) -> None:
    publish(units=1.0)
    with published.reading() as old:
        for units in (2.0, 3.0, 4.0, 5.0):
            publish(units=units)
            clock.seconds += LOOK_SECONDS
            with published.reading() as new:
                assert new.forecast("22423")[0]["mean"] == units
        assert not old.path.exists()
        assert old.forecast("22423")[0]["mean"] == 1.0
    with pytest.raises(LakeError, match="closed"):
        old.forecast("22423")
    published.close()


def test_a_snapshot_that_is_replaced_while_nobody_reads_is_closed_at_once(
    published: Published, publish: Callable[..., Path], clock: Clock
) -> None:
    publish()
    with published.reading() as old:
        pass
    publish()
    clock.seconds += LOOK_SECONDS
    assert version(published) == "000002"
    with pytest.raises(LakeError, match="closed"):
        old.segments()
    published.close()


def test_a_damaged_snapshot_is_not_taken_the_one_before_stays_and_the_log_says_so_once(
    published: Published,
    publish: Callable[..., Path],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish()
    assert version(published) == "000001"
    publish().write_bytes(b"no database" * 1000)
    for _ in range(3):
        clock.seconds += LOOK_SECONDS
        assert version(published) == "000001"
    (line,) = caplog.messages
    assert line.startswith("Still serving snapshot 000001: ")
    publish()
    clock.seconds += LOOK_SECONDS
    assert version(published) == "000003"
    published.close()


def test_a_pointer_that_vanishes_does_not_stop_the_serving(
    published: Published, publish: Callable[..., Path], clock: Clock, lake: Lake
) -> None:
    publish()
    assert version(published) == "000001"
    (lake.path / "serving" / "current").unlink()
    clock.seconds += LOOK_SECONDS
    assert version(published) == "000001"
    published.close()


def test_no_request_is_dropped_while_snapshots_are_swapped(
    shop: TestClient, publish: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    last = 4
    over = threading.Event()
    paths = ["/v1/segments", "/v1/customers/C-1", "/v1/products", "/v1/products/22423/forecast"]

    def ask(number: int) -> list[tuple[int, str, float]]:
        """Asks until the last version is seen: status, version and mean of each answer."""
        seen: list[tuple[int, str, float]] = []
        while not over.is_set():
            answer = shop.get(paths[number % len(paths)])
            body = answer.json()
            data = body["data"]
            mean = data["days"][0]["mean"] if "days" in data else float(body["snapshot"]["version"])
            seen.append((answer.status_code, body["snapshot"]["version"], mean))
            if body["snapshot"]["version"] == f"{last:06d}":
                break
        return seen

    timer = threading.Timer(60, over.set)
    timer.start()
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, number) for number in range(4)]
        for number in range(2, last + 1):
            publish(units=float(number))
            while shop.get("/readyz").json()["snapshot"]["version"] != f"{number:06d}":
                assert not over.is_set()
        answers = [future.result() for future in asking]
    timer.cancel()
    assert not over.is_set()
    for seen in answers:
        assert {status for status, _, _ in seen} == {200}
        versions = [version for _, version, _ in seen]
        assert versions == sorted(versions)
        # An answer never mixes two snapshots: each was published with its number as forecast.
        assert all(mean == float(version) for _, version, mean in seen)
    assert caplog.messages == []
