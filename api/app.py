"""The app: routes, access, failures, and what they answer from, opened and closed."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from api.auth import Authentication, Keys
from api.exchange import Exchange
from api.failures import PROBLEM_JSON, handle_failures
from api.routes import customers, meta, models, products, segments, sentiment, trends
from api.serving import Serving
from gpu_pipeline import __version__
from gpu_pipeline.config import Config

__all__ = ["create_app"]

_DESCRIPTION = """
Answers from the last published run, and sentiment of texts as they come.

Every success is `{"data": …, "snapshot": …}`; every failure is a problem document
(`type, title, status, detail, request_id, faults`). Ask with `Authorization: Bearer KEY`.
"""


def create_app(config: Config | None = None) -> FastAPI:
    """The API for the lake that `config` names; by default the configuration of the process.

    Raises:
        ConfigError: the configuration is malformed, or no key is accepted.
    """
    config = config if config is not None else Config.load()
    app = _Api(
        title="gpu-pipeline",
        description=_DESCRIPTION,
        version=__version__,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        # The framework's own traces would carry paths, and with them raw ids.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.config = config
    for module in (sentiment, customers, segments, products, trends, models, meta):
        app.include_router(module.router)
    handle_failures(app)
    # The last one added is the outermost.
    app.add_middleware(Authentication, keys=Keys(k.get_secret_value() for k in config.api_keys))
    app.add_middleware(Exchange)
    return app


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The description, where failures have the media type that they are sent with."""
        if self.openapi_schema is None:
            for path in super().openapi()["paths"].values():
                for operation in path.values():
                    _name_problems(operation["responses"])
        return super().openapi()


def _name_problems(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if int(status) >= 400:
            response["content"] = {PROBLEM_JSON: response["content"]["application/json"]}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # It prints whole paths, and with them raw ids; `Exchange` logs templates instead.
    logging.getLogger("uvicorn.access").disabled = True
    serving = app.state.serving = await Serving.open(app.state.config)
    try:
        yield
    finally:
        await serving.close()
