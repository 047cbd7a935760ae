"""What a run is for, made from its params alone."""

from dataclasses import replace
from typing import Any

from narrative_runs import __version__
from narrative_runs.params import Params
from narrative_runs.run_context import RunContext
from narrative_runs.source import rules


def context_of(params: Params, **changed: Any) -> RunContext:
    """The first session of an experiment with these params, as this release runs it; changed: other values of it."""
    context = RunContext(
        slug=params.slug,
        experiment_id="0b6d",
        source_md5="ab" * 16,
        reading_rules=rules.CURRENT.number,
        params=params,
        session=1,
        retry_errors=False,
        retry_categories=(),
        began_at="2026-01-01 12:00:00",
        session_began_at="2026-01-01T12:00:00+00:00",
        host="localhost",
        git_commit=None,
        software_version=__version__,
    )
    return replace(context, **changed)
