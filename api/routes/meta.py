"""Meta: is the server alive, is it ready, and what can be asked of it."""

import gzip
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from api.failures import declared
from api.schemas import Answer, SnapshotNote, Status
from api.serving import ServingNow

__all__ = ["router"]

router = APIRouter(tags=["meta"], responses=declared())


class Asset(NamedTuple):
    """A file that the documentation page loads."""

    file: str
    media_type: str


# Swagger UI is kept compressed, which is how browsers take it.
_ASSETS = {
    "docs.css": Asset("docs.css", "text/css"),
    "docs.js": Asset("docs.js", "text/javascript"),
    "swagger-ui-bundle.js": Asset("swagger-ui-bundle.js.gz", "text/javascript"),
    "swagger-ui.css": Asset("swagger-ui.css.gz", "text/css"),
}
# The page may load nothing from anywhere else, and run nothing that stands in its text.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@router.get("/healthz")
async def alive() -> Answer[Status]:
    """Whether the server answers at all."""
    return Answer(data=Status(status="alive"), snapshot=None)


@router.get("/readyz", responses=declared(503))
def ready(serving: ServingNow) -> Answer[Status]:
    """Whether it can answer: a snapshot is open, and the model has scored (before the start)."""
    with serving.published.reading() as snapshot:
        return Answer(data=Status(status="ready"), snapshot=SnapshotNote.of(snapshot))


@router.get("/", include_in_schema=False)
async def home() -> Response:
    """To the documentation."""
    return RedirectResponse("docs")


@router.get("/docs", include_in_schema=False)
def docs() -> Response:
    """The documentation page."""
    page = _content("docs.html")
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": _DOCS_POLICY})


@router.get("/assets/{name}", include_in_schema=False)
def asset(name: str, request: Request) -> Response:
    """A file that the documentation page loads."""
    found = _ASSETS.get(name)
    if found is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=3600"}
    content = _content(found.file)
    if found.file.endswith(".gz"):
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            content = gzip.decompress(content)
    return Response(content, media_type=found.media_type, headers=headers)


def _content(name: str) -> bytes:
    return (files("api") / "assets" / name).read_bytes()
