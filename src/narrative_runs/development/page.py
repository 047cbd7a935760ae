"""The narratives of `preflight --show` as one HTML file that needs nothing else, for its owner alone: it holds texts.

All that comes from outside is escaped by the template engine. The page's own policy (CSP) lets a browser load nothing
and run nothing, even if a text should get through.
"""

from pathlib import Path

from markupsafe import Markup

from narrative_runs import __version__, report
from narrative_runs.data_columns import type_title
from narrative_runs.development.configuration import Answered, Sample
from narrative_runs.development.measured import agreement_so_far
from narrative_runs.development.printed import agreement_in_words
from narrative_runs.development.shown import shown_narratives
from narrative_runs.findings.rounding import shown
from narrative_runs.plain_text import plain
from narrative_runs.report.template_engine import own_style, template_engine
from narrative_runs.user_files import owner_only

_STYLE = Path(report.__file__).parent / "page.css"
_OWN_STYLE = """
article { border-top: 1px solid var(--line); }
.beside { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 0 2rem; }
.beside th { overflow-wrap: normal; }
.wrong { font-weight: 700; }
td ul { margin: 0; padding-left: 1.2rem; }
@media (max-width: 50rem) { .beside { grid-template-columns: minmax(0, 1fr); } }
"""
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'"


def write_page(path: Path, sample: Sample, answered: Answered) -> None:
    """Write the page, whole or not at all. The caller sees to it that no such file exists yet
    (`user_files.check_free`).

    Raises:
        FindingsError: the file cannot be written.
    """
    with owner_only(path) as draft:
        draft.write_text(page(sample, answered), encoding="utf-8")


def page(sample: Sample, answered: Answered) -> str:
    """The page; the same input gives the same text."""
    css = _STYLE.read_text(encoding="utf-8") + _OWN_STYLE
    engine = template_engine(Path(__file__).parent, {"shown": shown, "type_title": type_title}, finalize=_plain)
    return engine.get_template("workshop.html.j2").render(
        name=answered.configuration.name,
        params=answered.configuration.params,
        narratives=shown_narratives(sample, answered),
        agreements={each.variable: agreement_in_words(each) for each in agreement_so_far(sample, answered)},
        version=__version__,
        **own_style(css, _POLICY),
    )


def _plain(value: object) -> object:
    """A text to fill in, without characters that would reverse the direction of its lines."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
