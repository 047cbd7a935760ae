"""Who read what of a sample: the part of a methods section that is about coders, as numbers."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from narrative_runs.codebook.variables import Ordinal
from narrative_runs.findings.suppression import MASKED
from narrative_runs.review_file import ADJUDICATION, SAMPLE, VERDICT, Line, Verdict, deals
from narrative_runs.reviews.agreement import agreement
from narrative_runs.reviews.experiment_read import ToReview
from narrative_runs.reviews.reviewed import Reviewed
from narrative_runs.reviews.truth import disagreements, values_by_coder

KAPPA, WEIGHTED_KAPPA, ALPHA = "Cohen's kappa", "Cohen's kappa with quadratic weights", "Krippendorff's alpha"
ANOTHER, OTHERS, ADJUDICATED = "another person", "other people", "adjudication"
_OF_INCIDENTS = ("n_incidents_by_coder", "n_read_by_several")


def reading_of(read: ToReview, reviewed: Reviewed, lines: Sequence[Line], seed: int) -> dict[str, Any]:
    """How the sample of one variable was read, by the verdicts that count.

    In: the reviews of the variable, and all lines of them; the seed of the bootstrap.

    Out: `n_incidents_by_coder`, the incidents of which each coder read all narratives, most first; `n_read_by_several`,
    those of which two or more did; `is_blind`, whether the sheets left out the model's answers, None where some did;
    `n_decided`, the narratives on which coders did not agree and somebody decided; `decided_by`, who did:
    ANOTHER, OTHERS, or ADJUDICATED where a coder is among them, None where nobody had to; `agreement` with its
    `measure`, the `narratives` that two or more read, and `value`, `low` and `high`, None where it is undefined.
    """
    verdicts = reviewed.verdicts
    of_coders = [each for each in verdicts if each.purpose == SAMPLE]
    samples = deals(lines, read.name, SAMPLE)
    # Whoever changed a verdict has seen both sheets.
    dealt = {line["deal"] for line in lines if line["line"] == VERDICT and line["deal"] in samples}
    is_blind = {bool(samples[deal]["blind"]) for deal in dealt}
    incidents = reviewed.incidents
    decided = _decided(read, verdicts)
    names = {each.coder.casefold() for each in of_coders}
    deciders = {each.coder.casefold() for each in decided.values()}
    return {
        "n_incidents_by_coder": sorted(_incidents_by_coder(reviewed, of_coders).values(), reverse=True),
        "n_read_by_several": int((incidents["is_reviewed"] & (incidents["n_coders"] > 1)).sum()),
        "is_blind": is_blind.pop() if len(is_blind) == 1 else None,
        "n_decided": len(decided),
        "decided_by": _who(deciders, names) if deciders else None,
        "agreement": _agreement(read, of_coders, seed),
    }


def masked_reading(reading: Mapping[str, Any], is_hidden: bool, below: int) -> dict[str, Any]:
    """The same as it may be published: the counts of incidents together, as each follows from the others and the number
    of reviews; agreement tells how many verdicts differ, and is left out wherever counts are masked.

    In: whether the number of reviewed incidents is masked; the limit, 0 masks nothing.
    """
    if not below:
        return dict(reading)
    by_coder, n_several = reading["n_incidents_by_coder"], reading["n_read_by_several"]
    counts = [*by_coder, n_several, *(n - n_several for n in by_coder)]
    shown = {**reading, "agreement": None}
    if is_hidden or any(0 < count < below for count in counts):
        shown |= dict.fromkeys(_OF_INCIDENTS, MASKED)
    if is_hidden or 0 < reading["n_decided"] < below:
        shown["n_decided"] = MASKED
    return shown


def _incidents_by_coder(reviewed: Reviewed, verdicts: Sequence[Verdict]) -> Counter[str]:
    n_narratives = reviewed.narratives.groupby("incident_id").size()
    n_read = Counter((each.coder, each.incident_id) for each in verdicts)
    by_coder = Counter({each.coder: 0 for each in verdicts})
    by_coder.update(coder for (coder, incident), n in n_read.items() if n == n_narratives[incident])
    return by_coder


def _decided(read: ToReview, verdicts: Sequence[Verdict]) -> dict[tuple[str, str], Verdict]:
    """The verdicts that decided disagreements, by narrative."""
    differing = disagreements(read.variable, verdicts, is_open=False)
    return {
        key: each
        for each in verdicts
        if each.purpose == ADJUDICATION and (key := (each.incident_id, each.narrative_type)) in differing
    }


def _who(deciders: Collection[str], coders: Collection[str]) -> str:
    if set(deciders) & set(coders):
        return ADJUDICATED
    return ANOTHER if len(deciders) == 1 else OTHERS


def _agreement(read: ToReview, verdicts: Sequence[Verdict], seed: int) -> dict[str, Any] | None:
    """Of two coders their kappa, of more, and of numbers, the alpha of all."""
    agreed = agreement(read.variable, values_by_coder(read.variable, verdicts), seed)
    if agreed is None or not agreed.n:
        return None
    measure, rate = ALPHA, agreed.alpha
    if len({each.coder for each in verdicts}) == 2 and agreed.pairs and agreed.pairs[0].kappa is not None:
        measure, rate = WEIGHTED_KAPPA if isinstance(read.variable, Ordinal) else KAPPA, agreed.pairs[0].kappa
    return None if rate is None else {"measure": measure, "narratives": agreed.n, **rate}
