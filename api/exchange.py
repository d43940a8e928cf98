"""Exchange: what every request gets, whatever its route: an id, a limit, a log line, an end."""

import logging
import time
import traceback
import uuid

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.failures import problem

__all__ = ["Exchange"]

# The largest request: 256 texts of 20,000 characters, each at most 6 bytes as JSON.
BODY_BYTES_MAX = 32 * 2**20
_LENGTH_DIGITS = 20  # enough to know that it is more
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Answers are about people: no proxy keeps them.
    "Cache-Control": "no-store",
    # A browser that opens an answer as a page may do nothing with it.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

logger = logging.getLogger(__name__)


class Exchange:
    """The outermost layer of the app.

    Nothing that a client sent is logged: not the path (the route's template stands for it), not
    a header, not the message of an exception, which may quote a text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and sees that it ends in an answer and a line in the log."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answering = _Answering(uuid.uuid4().hex, send)
        scope.setdefault("state", {})["request_id"] = answering.request_id
        started = time.perf_counter()
        try:
            if _declared_bytes(scope) > BODY_BYTES_MAX:
                await problem(413, Request(scope))(scope, receive, answering.send)
            else:
                await self.app(scope, _limited(receive), answering.send)
        except Exception as error:  # noqa: BLE001 - the end of the line for every bug
            logger.error("request %s failed: %s", answering.request_id, _without_message(error))
            if answering.status is None:
                await problem(500, Request(scope))(scope, receive, answering.send)
        logger.info(
            "request %s: %s %s -> %s in %.1f ms",
            answering.request_id,
            scope["method"] if scope["method"] in METHODS else "?",
            getattr(scope.get("route"), "path", "?"),
            answering.status,
            (time.perf_counter() - started) * 1000,
        )


class _Answering:
    """The way back to the client, which marks each answer and remembers its status."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.status: int | None = None
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _declared_bytes(scope: Scope) -> int:
    """How long the request says that its body is; what comes is counted all the same."""
    declared: str = Headers(scope=scope).get("Content-Length", "")
    return int(declared[:_LENGTH_DIGITS]) if declared.isdecimal() else 0


def _limited(receive: Receive) -> Receive:
    """The same stream, which ends in a 413 once more bytes came than any request needs."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_BYTES_MAX:
            raise HTTPException(413)
        return message

    return counted


def _without_message(error: Exception) -> str:
    """Where it was raised and its type, of each exception in the chain, innermost first."""
    lines: list[str] = []
    link: BaseException | None = error
    while link is not None:
        frames = "".join(traceback.format_tb(link.__traceback__))
        lines.insert(0, f"{type(link).__qualname__}\n{frames}")
        link = link.__cause__ or link.__context__
    return "\n".join(lines)
