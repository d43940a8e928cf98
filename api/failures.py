"""Failures: every way a request can end badly, each told as one problem document (RFC 9457)."""

import logging
from collections.abc import Mapping
from http.client import responses
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.batching import Overloaded
from api.schemas import Fault, Problem
from gpu_pipeline.errors import LakeError

__all__ = ["PROBLEM_JSON", "declared", "handle_failures", "problem"]

PROBLEM_JSON = "application/problem+json"
CLIENT_GONE = 499  # nginx's number for it; HTTP has none

logger = logging.getLogger(__name__)


class Kind(NamedTuple):
    """One kind of failure: the end of its `type`, its title, and what to say if nothing else."""

    name: str
    title: str
    detail: str


_KINDS = {
    400: Kind("bad-request", "Bad request", "The request can't be read."),
    401: Kind(
        "unauthorised",
        "A key is needed",
        "Send a key that this server accepts in the header `Authorization: Bearer KEY`.",
    ),
    404: Kind("not-found", "Not found", "There is nothing at this path: /docs lists the paths."),
    405: Kind("wrong-method", "Wrong method", "This path takes the methods in the Allow header."),
    413: Kind("too-large", "Too large", "The request is larger than this server reads."),
    422: Kind("invalid", "Invalid request", "The request is not what this path takes: see faults."),
    429: Kind(
        "overloaded", "Too many requests", "More texts wait than fit: try again after Retry-After."
    ),
    CLIENT_GONE: Kind("client-gone", "Client gone", "The client hung up before the answer."),
    500: Kind(
        "internal-error",
        "Internal error",
        "Something is wrong in the server: its log has the fault under this request_id.",
    ),
    503: Kind(
        "not-published",
        "Nothing to answer from",
        "No published results can be read: run `gpu-pipeline run` for this server's lake. "
        "The server's log says more.",
    ),
}


def problem(
    status: int,
    request: Request,
    *,
    detail: str | None = None,
    faults: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response for a failure; without a `detail` it says what its kind always says."""
    phrase = responses.get(status, "Failure")
    kind = _KINDS.get(status, Kind(phrase.lower().replace(" ", "-"), phrase, phrase))
    document = Problem(
        type=f"urn:gpu-pipeline:{kind.name}",
        title=kind.title,
        status=status,
        detail=kind.detail if detail is None else detail,
        request_id=request.state.request_id,
        faults=faults or [],
    )
    return JSONResponse(
        document.model_dump(mode="json"), status, headers=headers, media_type=PROBLEM_JSON
    )


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route declares its failures; the 500 that any route may have is added."""
    return {
        status: {
            "model": Problem,
            "description": _KINDS[status].title,
            "content": {"application/json": {"example": _example(status)}},
        }
        for status in sorted({500, *statuses})
    }


def handle_failures(app: FastAPI) -> None:
    """Makes the app answer each named failure with its problem.

    What has no name is a bug: `Exchange` ends it with a 500.
    """
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(Overloaded)(_overloaded)
    app.exception_handler(LakeError)(_unpublished)


def _example(status: int) -> dict[str, Any]:
    kind = _KINDS[status]
    return {
        "type": f"urn:gpu-pipeline:{kind.name}",
        "title": kind.title,
        "status": status,
        "detail": kind.detail,
        "request_id": "7ef30670a1f04535844c84eba0551cd8",
        "faults": [],
    }


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    # The framework's own details are the status in words, and of a 400 no more than that either.
    is_ours = error.status_code != 400 and error.detail != responses.get(error.status_code)
    detail = error.detail if is_ours else None
    return problem(error.status_code, request, detail=detail, headers=error.headers)


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    # The input that each fault quotes is left out: it may be a text or an id.
    faults = [
        Fault(where=".".join(map(str, fault["loc"])), problem=fault["msg"])
        for fault in error.errors()
    ]
    return problem(422, request, faults=faults)


async def _overloaded(request: Request, error: Overloaded) -> JSONResponse:
    return problem(429, request, headers={"Retry-After": str(error.retry_after_seconds)})


async def _unpublished(request: Request, error: LakeError) -> JSONResponse:
    # The message names folders of the server: for its log, not for the client.
    logger.warning("request %s: %s", request.state.request_id, error)
    return problem(503, request)
