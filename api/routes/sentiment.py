"""Sentiment: how texts sound, scored as they come."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from fastapi import APIRouter, Request, Security
from starlette.exceptions import HTTPException

from api.auth import BEARER
from api.batching import Floats
from api.failures import CLIENT_GONE, declared
from api.schemas import Answer, Sentiment, Texts
from api.serving import Serving, ServingNow

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
    """How each text sounds, in the order in which they were given."""
    scores = await _unless_gone(serving.batches.score(asked.texts), request)
    found = [_sentiment(row, serving) for row in scores]
    return Answer(data=found, snapshot=await asyncio.to_thread(serving.published.note))


def _sentiment(row: Floats, serving: Serving) -> Sentiment:
    scores = [round(float(value), DECIMALS) for value in row]
    return Sentiment.model_validate(
        {
            **dict(zip(serving.labels, scores, strict=True)),
            "label": serving.labels[int(row.argmax())],
            "model_version": serving.model_version,
        }
    )


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
