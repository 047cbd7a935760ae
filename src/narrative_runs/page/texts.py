"""Whether narratives are shown: hidden until somebody asks, so that a projector does no harm.

The switch lasts as long as the browser is open. Without it a single text is opened where it stands.
"""

from aiohttp import web

_COOKIE = "narrative_runs_texts"
_SHOWN = "shown"


def are_shown(request: web.Request) -> bool:
    """Whether the person at this browser asked for all texts."""
    return request.cookies.get(_COOKIE) == _SHOWN


def routes() -> list[web.RouteDef]:
    """The switch, by POST."""
    return [web.post("/texts", _switch)]


async def _switch(request: web.Request) -> web.StreamResponse:
    form = await request.post()
    answer = web.HTTPSeeOther(_own_page(str(form.get("back", ""))))
    if form.get("texts") == _SHOWN:
        answer.set_cookie(_COOKIE, _SHOWN, httponly=True, samesite="Strict", path="/")
    else:
        answer.del_cookie(_COOKIE, path="/")
    raise answer


def _own_page(back: str) -> str:
    """The address to return to: always a page of ours, whatever the form says."""
    leads_out = not back.startswith("/") or back.startswith(("//", "/\\"))
    return "/" if leads_out or any(ord(letter) < 0x21 or ord(letter) == 0x7F for letter in back) else back
