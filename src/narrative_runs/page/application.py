"""The page's application: the gates of safety before the rooms."""

from collections.abc import Collection
from pathlib import Path

from aiohttp import web

from narrative_runs.page import acts, now, safety, texts
from narrative_runs.page.addresses import address_of
from narrative_runs.page.experiment_asked import latest
from narrative_runs.page.findings import room as findings
from narrative_runs.page.history import room as history
from narrative_runs.page.narratives import room as narratives

_STATIC = Path(__file__).parent / "static"
_KINDS = {"page.css": "text/css", "page.js": "text/javascript"}
# A link without an experiment leads to the one that runs, else to the one that was started last.
_OF_THE_LATEST = ("findings", "narratives")


def create_application(token: str, names: Collection[str] = safety.LOOPBACK_NAMES) -> web.Application:
    """The whole page, for the project folder in which this process is.

    token: what its link holds; names: those by which the server may be called.
    """
    application = web.Application(middlewares=safety.gates(token, names), client_max_size=safety.MOST_BYTES_SENT)
    application.on_response_prepare.append(safety.add_headers)
    for room in (now, findings, history, narratives, acts, texts):
        application.add_routes(room.routes())
    narratives.keep_indexed(application)
    application.add_routes([web.get(f"/{room}", _of_the_latest) for room in _OF_THE_LATEST])
    application.add_routes([web.get("/static/{name}", _static)])
    return application


async def _of_the_latest(request: web.Request) -> web.StreamResponse:
    raise web.HTTPSeeOther(address_of(request.path.strip("/"), await latest()))


async def _static(request: web.Request) -> web.Response:
    """One of two files by its name: no path of the request is ever one of the disk."""
    name = request.match_info["name"]
    if name not in _KINDS:
        raise web.HTTPNotFound
    return web.Response(text=(_STATIC / name).read_text(encoding="utf-8"), content_type=_KINDS[name])
