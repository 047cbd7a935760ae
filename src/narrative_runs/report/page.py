"""The page: one HTML file that needs nothing else, from its template.

All that comes from outside is escaped by the template engine. The page's own policy (CSP) lets a browser load nothing
and run nothing, even if a text should get through.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from narrative_runs import __version__
from narrative_runs.data_columns import type_title
from narrative_runs.findings.read_first import DOUBT
from narrative_runs.findings.summary import warnings
from narrative_runs.findings.suppression import MASKED
from narrative_runs.report.captions import Caption
from narrative_runs.report.cells import chance, count, number, rate, threshold, value, with_code
from narrative_runs.report.cited import cited
from narrative_runs.report.codebook_rows import codebook_rows
from narrative_runs.report.contents import (
    FEWEST_ROWS,
    MOST_PASSAGES,
    IndicatorCount,
    PassagesNotInText,
    ReadFirst,
    ServerCount,
    WrongAnswer,
)
from narrative_runs.report.estimates import EstimatesShown
from narrative_runs.report.header import ReportHeader
from narrative_runs.report.measures import RATES, scopes
from narrative_runs.report.summary import summary
from narrative_runs.report.template_engine import own_style, template_engine
from narrative_runs.report.unseen import unseen_shown
from narrative_runs.report.variables import variable_findings, work_first
from narrative_runs.report.workbook_facts import listed, workbook_facts

_FOLDER = Path(__file__).parent
_POLICY = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"


class Picture(NamedTuple):
    """A figure on the page: its name, title and caption, its description in words, and its SVG."""

    name: str
    caption: Caption
    words: str
    svg: bytes


class Contents(NamedTuple):
    """The tables made from the rows; wrong_answers is None where no narrative may be shown, read_first where single
    rows would reveal small counts; servers is empty where there was one server, error_patterns (a sentence each) where
    errors have nothing in common, and both where small counts are masked; passages_not_in_text (by variable) is empty
    where no narrative may be shown or small counts are masked."""

    models: list[tuple[str, int]]
    errors: dict[str, int]
    indicators: list[IndicatorCount]
    read_first: list[ReadFirst] | None
    wrong_answers: list[WrongAnswer] | None
    servers: list[ServerCount]
    error_patterns: list[str]
    passages_not_in_text: Mapping[str, list[PassagesNotInText]]


def page(
    header: ReportHeader,
    metrics: dict[str, Any],
    quality: dict[str, Any],
    contents: Contents,
    pictures: list[Picture],
    estimates: EstimatesShown | None = None,
) -> str:
    """The report as HTML; metrics, quality: what may be published of metrics.json and data_quality.json; estimates:
    None where nothing was estimated.

    The same input gives the same text.
    """
    css = (_FOLDER / "page.css").read_text(encoding="utf-8")
    variables = variable_findings(metrics.get("variables", {}), header.variables)
    filters = (rate, count, value, number, chance, threshold, data_uri, with_code, listed)
    return (
        template_engine(_FOLDER, {each.__name__: each for each in filters})
        .get_template("page.html.j2")
        .render(
            header=header,
            metrics=metrics,
            scopes=scopes(metrics),
            variables=variables,
            needs_work=work_first(variables),
            codebook=codebook_rows(header.variables),
            types={kind: type_title(kind) for kind in metrics["by_type"]},
            rates=RATES,
            quality=quality,
            workbook=workbook_facts(quality),
            warnings=warnings(metrics),
            cited=cited(header, contents.models),
            summary=summary(header, metrics, contents.models),
            below=header.params["report"]["suppress_below"],
            masked=MASKED,
            doubt=DOUBT,
            contents=contents,
            pictures={picture.name: picture for picture in pictures},
            estimates=estimates,
            unseen=unseen_shown(metrics),
            fewest_rows=FEWEST_ROWS,
            most_passages=MOST_PASSAGES,
            version=__version__,
            **own_style(css, _POLICY),
        )
    )


def data_uri(svg: bytes) -> str:
    """An image as a `data:` address."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
