import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import FastAPI

from api.batching import Batches, Overloaded
from nlp.reading import Reading

KEY = "a key for tests"


class Device:
    """Scores a text with its length in thousandths; remembers what it was given, and by whom.

    It begins when it may.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()
        self.may_run = threading.Event()
        self.is_running = threading.Event()

    def read(self, texts: Sequence[str]) -> list[Reading]:
        self.is_running.set()
        assert self.may_run.wait(10)
        self.batches.append(list(texts))
        self.threads.add(threading.current_thread().name)
        if "bad" in texts:
            message = "bad text"
            raise ValueError(message)
        return [reading(len(text) / 1000) for text in texts]

    async def busy_with(self, batches: Batches, text: str) -> "asyncio.Task[Sequence[Reading]]":
        """A request that the device has taken and not yet finished."""
        task = asyncio.create_task(batches.read([text]))
        await asyncio.to_thread(self.is_running.wait, 10)
        return task


def reading(negative: float) -> Reading:
    return Reading(negative, 0.0, 0.0, "negative", certain=True, language="en", unscored=None)


def lengths(rows: Sequence[Reading]) -> list[int]:
    return [round((row.negative or 0) * 1000) for row in rows]


@pytest.fixture
def device() -> Device:
    return Device()


async def waiting(*scores: Any) -> "list[asyncio.Task[Sequence[Reading]]]":
    """Requests that have been put in the queue, in this order."""
    tasks = [asyncio.create_task(score) for score in scores]
    await asyncio.sleep(0)
    return tasks


def test_each_caller_gets_its_own_rows_in_its_own_order(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read)
        device.may_run.set()
        sizes = [[n + k for k in range(n % 5 + 1)] for n in range(200)]
        answers = await asyncio.gather(
            *(batches.read(["x" * size for size in some]) for some in sizes)
        )
        assert [lengths(rows) for rows in answers] == sizes
        await batches.close()

    asyncio.run(run())
    assert device.threads == {"device-owner"}


def test_requests_that_wait_are_joined_in_the_order_in_which_they_came(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read, batch_characters=1000)
        first = await device.busy_with(batches, "first")
        rest = await waiting(
            batches.read(["a", "b"]), batches.read(["c" * 800]), batches.read(["d", "e"])
        )
        device.may_run.set()
        await asyncio.gather(first, *rest)
        await batches.close()

    asyncio.run(run())
    assert device.batches == [["first"], ["a", "b", "c" * 800], ["d", "e"]]


def test_a_request_larger_than_a_batch_goes_alone(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read, batch_characters=100)
        device.may_run.set()
        scores = await batches.read(["x" * 500, "y" * 600])
        assert lengths(scores) == [500, 600]
        await batches.close()

    asyncio.run(run())
    assert [len(batch) for batch in device.batches] == [2]


def test_a_full_queue_refuses_and_says_when_to_come_again(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read, waiting_characters_max=200)
        first = await device.busy_with(batches, "first")
        rest = await waiting(batches.read(["a" * 50]))
        with pytest.raises(Overloaded) as refused:
            await batches.read(["b" * 51])
        assert 1 <= refused.value.retry_after_seconds <= 60
        fits = await waiting(batches.read(["c" * 50]))
        device.may_run.set()
        await asyncio.gather(first, *rest, *fits)
        # There is room again.
        await batches.read(["b" * 51])
        await batches.close()

    asyncio.run(run())
    assert ["b" * 51] in device.batches


def test_an_empty_queue_takes_any_request(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read, waiting_characters_max=10)
        device.may_run.set()
        await batches.read(["x" * 500])
        await batches.close()

    asyncio.run(run())


def test_a_cancelled_request_is_not_scored_and_makes_room(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read, waiting_characters_max=200)
        first = await device.busy_with(batches, "first")
        (given_up, other) = await waiting(batches.read(["a" * 50]), batches.read(["b" * 50]))
        given_up.cancel()
        await asyncio.wait([given_up])
        third = await waiting(batches.read(["c" * 50]))
        device.may_run.set()
        await asyncio.gather(first, other, *third)
        assert given_up.cancelled()
        await batches.close()

    asyncio.run(run())
    assert device.batches == [["first"], ["b" * 50, "c" * 50]]


def test_a_request_cancelled_while_it_is_scored_harms_nobody(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read)
        first = await device.busy_with(batches, "first")
        first.cancel()
        await asyncio.wait([first])
        device.may_run.set()
        assert lengths(await batches.read(["four"])) == [4]
        await batches.close()

    asyncio.run(run())


def test_a_request_that_fails_does_not_spoil_the_others(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read)
        first = await device.busy_with(batches, "first")
        rest = await waiting(
            batches.read(["a"]), batches.read(["bad"]), batches.read(["cc", "ddd"])
        )
        device.may_run.set()
        found = await asyncio.gather(first, *rest, return_exceptions=True)
        await batches.close()
        assert isinstance(found[2], ValueError)
        assert [lengths(rows) for rows in (found[0], found[1], found[3])] == [[5], [1], [2, 3]]

    asyncio.run(run())


def test_closing_finishes_what_waits_and_takes_nothing_more(device: Device) -> None:
    async def run() -> None:
        batches = Batches(device.read, batch_characters=60)
        first = await device.busy_with(batches, "first")
        rest = await waiting(*(batches.read([name]) for name in "abc"))
        (closing,) = await waiting(batches.close())
        with pytest.raises(Overloaded):
            await batches.read(["late"])
        device.may_run.set()
        await closing
        assert all(task.done() for task in (first, *rest))
        assert [lengths(task.result()) for task in rest] == [[1], [1], [1]]

    before = set(threading.enumerate())
    asyncio.run(run())
    assert device.batches == [["first"], ["a"], ["b"], ["c"]]
    assert "device-owner" not in {t.name for t in set(threading.enumerate()) - before}


@asynccontextmanager
async def running(app: FastAPI, device: Device, **limits: int) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the app, where the device is in the place of the model's."""
    async with app.router.lifespan_context(app):
        await app.state.serving.batches.close()
        app.state.serving.batches = Batches(device.read, **limits)
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=headers
        ) as client:
            yield client


def test_over_http_a_full_queue_is_a_429_with_retry_after(app: FastAPI, device: Device) -> None:
    async def run() -> None:
        async with running(app, device, waiting_characters_max=200) as client:

            def ask(size: int) -> "asyncio.Task[httpx.Response]":
                return asyncio.create_task(
                    client.post("/v1/sentiment", json={"texts": ["x" * size]})
                )

            first = ask(1)
            await asyncio.to_thread(device.is_running.wait, 10)
            # One of them waits; there is no room for a second.
            rest = {ask(100) for _ in range(5)}
            refused: set[asyncio.Task[httpx.Response]] = set()
            while len(refused) < 4:
                done, rest = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
                refused |= done
            for answer in [task.result() for task in refused]:
                assert answer.status_code == 429
                assert 1 <= int(answer.headers["Retry-After"]) <= 60
                assert answer.json()["type"] == "urn:gpu-pipeline:overloaded"
            # Whoever waits, the server still says that it is alive.
            assert (await client.get("/healthz")).status_code == 200
            device.may_run.set()
            accepted = [await first, *(await asyncio.gather(*rest))]
            assert [answer.status_code for answer in accepted] == [200, 200]

    asyncio.run(run())


def test_over_http_a_client_that_hangs_up_is_not_scored(app: FastAPI, device: Device) -> None:
    async def run() -> None:
        async with running(app, device) as client:
            first = asyncio.create_task(client.post("/v1/sentiment", json={"texts": ["first"]}))
            await asyncio.to_thread(device.is_running.wait, 10)
            status = await hang_up_after_asking(app, "given up")
            second = asyncio.create_task(client.post("/v1/sentiment", json={"texts": ["second"]}))
            device.may_run.set()
            assert [(await task).status_code for task in (first, second)] == [200, 200]
            assert status == 499

    asyncio.run(run())
    assert device.batches == [["first"], ["second"]]


async def hang_up_after_asking(app: FastAPI, text: str) -> int:
    """Asks for the sentiment of a text and is gone at once; returns the status that was sent."""
    sent: list[dict[str, Any]] = []
    body = json.dumps({"texts": [text]}).encode()
    messages = iter([{"type": "http.request", "body": body}, {"type": "http.disconnect"}])
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/sentiment",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return int(sent[0]["status"])
