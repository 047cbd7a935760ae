"""The truth about a narrative that people reviewed: the adjudicated verdict, else the one on which all coders agree.

Where they do not agree and nobody has decided yet, the disagreement is open. An incident is reviewed when all of its
narratives are, and its truth follows from theirs as an incident's answer does from the model's.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from narrative_runs.codebook.labels import incident_label
from narrative_runs.codebook.values import UNCLEAR
from narrative_runs.codebook.variables import Binary, Quote, Text, Variable
from narrative_runs.review_file import ADJUDICATION, Verdict
from narrative_runs.reviews.population import value_in

ADJUDICATED, UNANIMOUS, LABEL, OPEN = "adjudicated", "unanimous", "label", "open"
Key = tuple[str, str]


class Truth(NamedTuple):
    """The truth about a narrative or an incident. verdict: as text, None where it is open; source: ADJUDICATED,
    UNANIMOUS or OPEN; n_coders: how many reviewed it, who decided on a disagreement not among them."""

    verdict: str | None
    source: str
    n_coders: int


def truths_of_narratives(variable: Variable, verdicts: Iterable[Verdict]) -> dict[Key, Truth]:
    """The truth about each narrative with a verdict of a coder, by incident and type.

    In: the latest verdicts on one variable. For texts and passages, on which no two agree to the letter, the first
    coder's verdict counts.
    """
    by_narrative: dict[Key, dict[str, Verdict]] = defaultdict(dict)
    adjudicated: dict[Key, str] = {}
    for each in verdicts:
        if each.purpose == ADJUDICATION:
            # Who decides later knows more.
            adjudicated[each.incident_id, each.narrative_type] = each.verdict
        else:
            by_narrative[each.incident_id, each.narrative_type][each.coder] = each
    return {
        key: _truth(variable, adjudicated.get(key), [each.verdict for each in of_coders.values()])
        for key, of_coders in by_narrative.items()
    }


def truth_of_incident(variable: Variable, truths: Sequence[Truth | None]) -> tuple[Any, str, int] | None:
    """The value of an incident, None where it is open or unclear, its source, and how many coders reviewed all of it;
    None where a narrative was not reviewed.

    In: the truths of all its narratives. A no of a binary variable needs a no of each; for other variables those that
    tell count for those that do not.
    """
    known = [truth for truth in truths if truth is not None]
    if len(known) < len(truths) or not known:
        return None
    n_coders = min(truth.n_coders for truth in known)
    sources = {truth.source for truth in known}
    if OPEN in sources:
        return None, OPEN, n_coders
    source = ADJUDICATED if ADJUDICATED in sources else UNANIMOUS
    values = [value_in(variable, truth.verdict) for truth in known]
    value = incident_label(variable, values)
    if isinstance(variable, Binary) and value is False and None in values:
        value = None
    return value, source, n_coders


def disagreements(
    variable: Variable, verdicts: Sequence[Verdict], is_open: bool = True
) -> dict[Key, dict[str, Verdict]]:
    """The narratives on which coders do not agree, each with the verdict of each; is_open: only those on which nobody
    has decided yet."""
    truths = truths_of_narratives(variable, verdicts)
    by_narrative: dict[Key, dict[str, Verdict]] = defaultdict(dict)
    for each in verdicts:
        if each.purpose != ADJUDICATION:
            by_narrative[each.incident_id, each.narrative_type][each.coder] = each
    if isinstance(variable, Quote | Text):
        return {}
    return {
        key: of_coders
        for key, of_coders in by_narrative.items()
        if len({each.verdict for each in of_coders.values()}) > 1 and not (is_open and truths[key].source != OPEN)
    }


def values_by_coder(variable: Variable, verdicts: Iterable[Verdict]) -> dict[Key, Mapping[str, Any]]:
    """By incident and type the value of each coder, `unclear` among the values."""
    by_narrative: dict[Key, dict[str, Any]] = defaultdict(dict)
    for each in verdicts:
        if each.purpose != ADJUDICATION:
            value = UNCLEAR if each.verdict == UNCLEAR else value_in(variable, each.verdict)
            by_narrative[each.incident_id, each.narrative_type][each.coder] = value
    return dict(by_narrative)


def _truth(variable: Variable, adjudicated: str | None, verdicts: Sequence[str]) -> Truth:
    n_coders = len(verdicts)
    if adjudicated is not None:
        return Truth(adjudicated, ADJUDICATED, n_coders)
    if len(set(verdicts)) == 1 or isinstance(variable, Quote | Text):
        return Truth(verdicts[0], UNANIMOUS, n_coders)
    return Truth(None, OPEN, n_coders)
