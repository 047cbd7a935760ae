"""Who may use the page: only the person who has the link, from the page itself.

Five gates, in this order, before any room is asked: the request's size; the name by which the server was called (a
foreign name is a rebinding attack: the browser believes that the page is another's); the link's token, which becomes
a cookie that no script can read and no other site can have sent; the site that the request comes from; and on the way
out, headers by which the browser runs, loads and frames nothing of others, and keeps nothing.
"""

import hashlib
import hmac
import ipaddress
import sys
import traceback
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from narrative_runs.errors import NarrativeRunsError
from narrative_runs.page.rendering import render

MOST_BYTES_SENT = 64 * 1024
MOST_BYTES_OF_A_LINE = 8 * 1024
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Not `no-referrer`: with it a browser calls the origin of its own forms `null`.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Server": "narrative-runs",
}
_READING = ("GET", "HEAD")
_FORM = "application/x-www-form-urlencoded"
_WITHOUT_TOKEN = "This page opens only with its link. The terminal in which `narrative-runs serve` runs shows it."


def gates(token: str, names: Collection[str] = LOOPBACK_NAMES) -> list[Middleware]:
    """The middlewares of the application, outermost first; names: those by which the server may be called, beside
    addresses."""
    return [_errors_as_pages, _known_names(names), _holder_of(token), _own_forms]


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add the common headers to a response: as a signal of the application, so that no response lacks them."""
    response.headers.update(HEADERS)


def refused(request: web.Request, status: int, title: str, message: str) -> web.Response:
    """A plain page that says what is wrong; it shows nothing of any experiment."""
    return render(request, "message.html.j2", status=status, title=title, message=message)


@web.middleware
async def _errors_as_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        page = refused(request, error.status, error.reason, _explained(error.status))
        if "Allow" in error.headers:
            page.headers["Allow"] = error.headers["Allow"]
        return page
    except NarrativeRunsError as error:
        return refused(request, 409, "That cannot be done", str(error))
    except ConnectionError:
        raise
    except Exception as error:
        tell_where(error)
        return refused(
            request, 500, "Something went wrong", "The terminal in which `narrative-runs serve` runs says where."
        )


def _explained(status: int) -> str:
    match status:
        case 404:
            return "There is no such page, or no such experiment. The page `Now` shows all experiments."
        case 405:
            return "This page does not accept that kind of request."
        case 413:
            return "That is more than any form of this page sends."
        case _:
            return "The request cannot be understood."


def tell_where(error: Exception) -> None:
    """Report in the terminal where an unexpected error arose. Its message may hold texts, and is not repeated."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    print(f"narrative-runs: {type(error).__name__} at {where}", file=sys.stderr, flush=True)


def _known_names(names: Collection[str]) -> Middleware:
    @web.middleware
    async def known_names(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = _name_of(request.headers.getall("Host", []))
        if name is None or not (name in names or _is_address(name, only_loopback=set(names) <= LOOPBACK_NAMES)):
            return refused(request, 421, "Misdirected", "The page is not known by that name. Open the link as printed.")
        return await handler(request)

    return known_names


def _name_of(hosts: list[str]) -> str | None:
    """The name in the one Host header, lower case, without port and brackets; None where it is none or several."""
    if len(hosts) != 1:
        return None
    name, bracket, port = hosts[0].lower().rpartition("]")
    if bracket:
        name, rest = name.removeprefix("["), port
    else:
        name, colon, digits = port.partition(":")
        rest = colon + digits
    return name if rest == "" or (rest[:1] == ":" and rest[1:].isascii() and rest[1:].isdigit()) else None


def _is_address(name: str, only_loopback: bool) -> bool:
    """Whether this is an address in digits: no name server can make it another machine's."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not only_loopback


def cookie_of(token: str, request: web.Request) -> tuple[str, str]:
    """Name and value of the cookie that stands for the token; of each port its own, as browsers keep them by host."""
    port = request.url.port or 80
    value = hmac.new(token.encode(), b"cookie of the page", hashlib.sha256).hexdigest()
    return f"narrative_runs_{port}", value


def _holder_of(token: str) -> Middleware:
    @web.middleware
    async def holder(request: web.Request, handler: Handler) -> web.StreamResponse:
        name, value = cookie_of(token, request)
        given = request.query.getall("token", [])
        if given:
            if request.method not in _READING or len(given) > 1 or not _same(given[0], token):
                return refused(request, 403, "Not this link", _WITHOUT_TOKEN)
            further = [(key, each) for key, each in request.query.items() if key != "token"]
            # One slash alone: with two it would lead to another server.
            path = "/" + request.rel_url.raw_path.lstrip("/\\")
            answer = web.Response(status=303, headers={"Location": f"{path}?{urlencode(further)}" if further else path})
            answer.set_cookie(name, value, httponly=True, samesite="Strict", path="/")
            return answer
        if not _same(request.cookies.get(name, ""), value):
            return refused(request, 403, "The link is needed", _WITHOUT_TOKEN)
        return await handler(request)

    return holder


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


@web.middleware
async def _own_forms(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Changes come from forms of this page alone; and other sites' pages may not load anything of it."""
    origins = request.headers.getall("Origin", [])
    own = f"{request.scheme}://{request.host}".lower()
    is_own = [origin.lower() for origin in origins] == [own]
    site = request.headers.get("Sec-Fetch-Site", "")
    if request.method in _READING:
        is_link = request.headers.get("Sec-Fetch-Mode", "") == "navigate"
        is_foreign = (origins and not is_own) or (site in ("cross-site", "same-site") and not is_link)
    else:
        is_foreign = not is_own or site not in ("", "same-origin")
    if is_foreign:
        return refused(request, 403, "Not from here", "A page of another site asked for that. Nothing was done.")
    if request.method not in _READING and request.content_type != _FORM:
        return refused(request, 415, "No form", "This page accepts only its own forms.")
    return await handler(request)
