"""A pattern in words: how many errors have what in common, the likely cause, and what to do."""

import re
from typing import NamedTuple

from narrative_runs.asking.failures import TOO_LONG
from narrative_runs.error_patterns.outcomes import GROUP, ErrorKind
from narrative_runs.error_patterns.search import HOUR, LENGTH, MESSAGE, POSITION, TIME, Pattern
from narrative_runs.params import Params
from narrative_runs.results import REFUSED, WITHHELD
from narrative_runs.shell import to_retry

_CONTEXT = re.compile(rf"{re.escape(TOO_LONG)} of ([0-9,]+) tokens")
# What the message of a text says that the server cut without a word.
_CUT_TEXT = "give the model a longer context"
# What the message of a cut off answer names.
_CUT_OFF = "model.max_tokens"
# Of a row that another software wrote, a message may be of any length.
_LONGEST = 200


class Experiment(NamedTuple):
    """Whose errors they are: what the commands need to name it, and what of its params may be the cause."""

    experiment_id: str
    slug: str
    timeout_s: float
    max_tokens: int | None

    @classmethod
    def of(cls, experiment_id: str, params: Params) -> "Experiment":
        """The experiment with these params."""
        return cls(experiment_id, params.slug, params.run.timeout_s, params.model.max_tokens)


def sentence(pattern: Pattern, experiment: Experiment) -> str:
    """What the user reads of a pattern; it holds no text of a narrative, and of the server no more than errors.log."""
    return f"{_counts(pattern)}: {_cause(pattern, experiment)}"


def _counts(pattern: Pattern) -> str:
    counts = f"{pattern.n_errors:,} of {pattern.n_errors_of:,} errors"
    said = "" if pattern.error is None else f" ({_shortened(pattern.error)})"
    also = "".join(f"; nearly the same ones {_shared(other)}" for other in pattern.also)
    return f"{counts} {_shared(pattern)}{said}{also}"


def _shared(pattern: Pattern) -> str:
    value = pattern.value
    if pattern.dimension.startswith(GROUP):
        return f"are narratives of {pattern.dimension.removeprefix(GROUP)} {value}"
    return {
        LENGTH: f"are texts of {value}",
        "server": f"came from the server {value}",
        "host": f"were asked for from the host {value}",
        "shard": f"are narratives of shard {value}",
        POSITION: f"are among the narratives {value} of the workbook",
        TIME: f"were asked between {value}",
        HOUR: f"were asked between {value} of the day",
        MESSAGE: "say the same",
    }[pattern.dimension]


def _shortened(error: ErrorKind) -> str:
    text = " ".join(f"{error.category}, {error.message}".split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _cause(pattern: Pattern, experiment: Experiment) -> str:
    return _cause_of_kind(pattern, experiment) or _cause_of_part(pattern, experiment)


def _cause_of_kind(pattern: Pattern, experiment: Experiment) -> str:
    """The cause that the messages tell wherever the errors are; empty where they do not."""
    category, message = pattern.error or ErrorKind("", "")
    if TOO_LONG in message or _CUT_TEXT in message:
        named = _CONTEXT.search(message)
        context = (
            f"the server's context is {named[1]} tokens" if named else "the server's context is too short for them"
        )
        return f"{context}; raise it there, and after the run `{to_retry(experiment.experiment_id)}`"
    if _CUT_OFF in message:
        limit = "" if experiment.max_tokens is None else f", which is {experiment.max_tokens:,}"
        return f"their answers are longer than model.max_tokens{limit}; raise it, in a new experiment"
    if WITHHELD in message or REFUSED in message:
        return (
            "the same text is withheld or refused again; look at these cells "
            f"(`narrative-runs trace --outcome error {experiment.slug}`), or ask another model, in a new experiment"
        )
    is_of_texts = pattern.dimension in (LENGTH, MESSAGE, POSITION) or pattern.dimension.startswith(GROUP)
    if category == "timeout" and is_of_texts:
        waits = experiment.timeout_s
        longer = to_retry(experiment.experiment_id, f"run={{timeout_s: {2 * waits:g}}}")
        return f"they take longer than run.timeout_s, which is {waits:g}; raise it, after the run `{longer}`"
    if category == "rate_limit":
        return f"the server limits how often it is asked; after the run `{to_retry(experiment.experiment_id)}`"
    return ""


def _cause_of_part(pattern: Pattern, experiment: Experiment) -> str:
    """The cause that the part of the run tells of which the errors are."""
    again = f"after the run `{to_retry(experiment.experiment_id)}`"
    cells = f"look at these cells (`narrative-runs trace --outcome error {experiment.slug}`)"
    if pattern.dimension == LENGTH:
        return f"the server or the model fails at texts of this length; {cells} and at the server's log, then {again}"
    if pattern.dimension == POSITION or pattern.dimension.startswith(GROUP):
        return f"something in these texts makes them fail; {cells}, then {again}"
    return {
        "server": "this server fails where others answer; put it right, or take it out of model.api_url, and",
        "host": "something is wrong with this host or its way to the server; put that right, and",
        "shard": "something was wrong while this shard was asked; look at logs/api_calls.log for that time, and",
        TIME: "the server was overloaded or restarted then;",
        HOUR: "the server is overloaded or maintained at that hour; at another one,",
        MESSAGE: "they have one cause; look at the server's log, and",
    }[pattern.dimension] + f" {again}"
