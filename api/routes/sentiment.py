"""Sentiment: how texts sound, scored as they come."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from fastapi import APIRouter, Request, Security
from starlette.exceptions import HTTPException

from api.auth import BEARER
from api.failures import CLIENT_GONE, declared
from api.schemas import Answer, Sentiment, Texts
from api.serving import ServingNow
from nlp.reading import Reading

__all__ = ["router"]

T = TypeVar("T")
DECIMALS = 6

router = APIRouter(
    prefix="/v1/sentiment",
    tags=["sentiment"],
    dependencies=[Security(BEARER)],
    responses=declared(400, 401, 413, 422, 429),
)


@router.post("")
async def sentiment(asked: Texts, request: Request, serving: ServingNow) -> Answer[list[Sentiment]]:
    """How each text sounds, in the order in which they were given.

    A text in a language that the model doesn't know, or without words, has no label.
    """
    readings = await _unless_gone(serving.batches.read(asked.texts), request)
    found = [_sentiment(reading, serving.model_version) for reading in readings]
    return Answer(data=found, snapshot=await asyncio.to_thread(serving.published.note))


def _sentiment(reading: Reading, model_version: str) -> Sentiment:
    rounded = {
        name: round(value, DECIMALS) if isinstance(value, float) else value
        for name, value in reading._asdict().items()
    }
    return Sentiment.model_validate({**rounded, "model_version": model_version})


async def _unless_gone(work: Coroutine[None, None, T], request: Request) -> T:
    """The result of the work, which is cancelled once the client hangs up."""
    working = asyncio.create_task(work)
    gone = asyncio.create_task(_hung_up(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise HTTPException(CLIENT_GONE, "The client hung up before the answer.")
    finally:
        working.cancel()
        gone.cancel()
        # Only then has the work left the queue.
        await asyncio.wait({working, gone})


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
