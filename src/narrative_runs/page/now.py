"""Now."""

from aiohttp import web

from narrative_runs.page.rendering import render


def routes() -> list[web.RouteDef]:
    """The addresses of this room."""
    return [web.get("/", _show)]


async def _show(request: web.Request) -> web.Response:
    return render(request, "message.html.j2", room="now", title="Now", message="")
