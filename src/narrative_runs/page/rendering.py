"""Responses of the page, from its templates; the template engine escapes all that comes from outside."""

from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment

from narrative_runs import __version__
from narrative_runs.page import texts
from narrative_runs.page.addresses import address_of
from narrative_runs.report.cells import chance, count, number, rate, threshold, value, with_code
from narrative_runs.report.template_engine import template_engine

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The template engine, with the report's filters (`rate`, `count`, `with_code`, …) and `address_of`."""
    filters = (rate, count, value, number, chance, threshold, with_code)
    engine = template_engine(_TEMPLATES, {each.__name__: each for each in filters})
    engine.globals |= {"address_of": address_of, "version": __version__}
    return engine


def fragment(template: str, **values: Any) -> str:
    """A part of a page, as HTML."""
    return environment().get_template(template).render(**values)


def render(
    request: web.Request, template: str, *, room: str = "", experiment: str = "", status: int = 200, **values: Any
) -> web.Response:
    """A whole page, whose template extends `layout.html.j2`.

    room: which one it belongs to, as the navigation marks it; experiment: the slug or id that the navigation leads to,
    empty where it is the one that runs or was started last; values: what the template names. Beside them it knows
    `texts_shown`: whether narratives are shown without opening them one by one.
    """
    html = fragment(
        template,
        room=room,
        experiment=experiment,
        texts_shown=texts.are_shown(request),
        here=request.path_qs,
        **values,
    )
    return web.Response(text=html, content_type="text/html", status=status)
