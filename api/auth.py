"""Access: bearer keys, known here only by their digests."""

import hashlib
import hmac
from collections.abc import Iterable

from fastapi import Request
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from api.failures import problem
from gpu_pipeline.errors import ConfigError

__all__ = ["BEARER", "Authentication", "Keys", "digest"]

# What anybody may see. Every other path needs a key, whether it exists or not.
OPEN_PATHS = frozenset({"/", "/docs", "/healthz", "/openapi.json", "/readyz"})
OPEN_FOLDER = "/assets/"

# Documents the scheme in OpenAPI; `Authentication` enforces it before anything is read.
BEARER = HTTPBearer(auto_error=False, description="A key that the server accepts.")

_DIGEST_DIGITS = 64


def digest(key: str) -> str:
    """What is kept of a key: its sha256 in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """The keys that the API accepts.

    >>> Keys([digest("open sesame")]).accept("open sesame")
    True
    """

    def __init__(self, digests: Iterable[str]) -> None:
        self._digests = [text.lower() for text in digests]
        if not self._digests:
            message = (
                "The API has no key to accept: start it with `gpu-pipeline serve`, which makes a "
                "one-off key, or set GPU_PIPELINE_API_KEYS to a JSON list of sha256 digests."
            )
            raise ConfigError(message)
        for number, text in enumerate(self._digests):
            if len(text) != _DIGEST_DIGITS or set(text) - set("0123456789abcdef"):
                message = (
                    f"api_keys[{number}] is no sha256 digest (64 hexadecimal digits): give the "
                    "digest of the key, never the key itself."
                )
                raise ConfigError(message)

    def accept(self, key: str) -> bool:
        """Whether this is one of the keys; takes equally long for every wrong one."""
        offered = digest(key)
        matches = [hmac.compare_digest(offered, known) for known in self._digests]
        return any(matches)


class Authentication:
    """Refuses every request without a key, before its body is read, but for the open paths."""

    def __init__(self, app: ASGIApp, *, keys: Keys) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers 401."""
        if scope["type"] != "http" or _is_open(scope) or self._has_key(Request(scope)):
            await self.app(scope, receive, send)
            return
        refusal = problem(401, Request(scope), headers={"WWW-Authenticate": "Bearer"})
        await refusal(scope, receive, send)

    def _has_key(self, request: Request) -> bool:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.keys.accept(key.strip())


def _is_open(scope: Scope) -> bool:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)
