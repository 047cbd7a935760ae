"""The template engine of all pages: what comes from outside is escaped, and a name that is not given is an error."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


def template_engine(
    folder: Path, filters: dict[str, Callable[..., Any]], finalize: Callable[..., Any] | None = None
) -> Environment:
    """The engine for the templates of this folder.

    filters: those of the templates, by name; finalize: applied to each value that is filled in.
    """
    engine = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    engine.filters |= filters
    return engine


def own_style(css: str, policy: str) -> dict[str, str]:
    """What a page that needs no other file has of its style: `css`, and a `policy` (CSP) that allows this style alone.

    css: our own, with nothing from outside in it; policy: what else the page allows.
    """
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return {"css": Markup(css), "policy": f"{policy}; style-src 'sha256-{digest}'"}
