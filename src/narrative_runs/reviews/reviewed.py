"""Reviews for estimates: truth, answer and stratum of each incident, and of each narrative.

A verdict counts where the model's answers in the incident are still those of the time when it was dealt. After a
rollback, or where an error was asked again, others are of older answers: they are counted, and not mixed in. The
incidents whose answers changed form strata of their own then, of known size, so that the rest is still a sample of the
rest: within a stratum the draw knew nothing of what would change.

Several samples of one variable are taken together. Within a stratum each was drawn without regard to anything, so that
all incidents of it that were reviewed by any are a random sample of that stratum.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from narrative_runs import review_file
from narrative_runs.codebook.variables import Variable
from narrative_runs.review_file import ADJUDICATION, SAMPLE, Line, Verdict
from narrative_runs.reviews import experiment_read
from narrative_runs.reviews.dealing import population_kept
from narrative_runs.reviews.population import Population, value_in
from narrative_runs.reviews.truth import LABEL, OPEN, disagreements, truth_of_incident, truths_of_narratives

_COLUMNS = ("truth", "source", "is_reviewed", "n_coders")
_CHANGED = ", answer changed since it was dealt"


class Reviewed(NamedTuple):
    """The reviews of one variable.

    incidents: one row for each of the workbook, by `incident_id`: `predicted` (the model's value, None without one),
    `truth` (None where it is not known, or unclear), `source` (`adjudicated`, `unanimous`, `open`, `label`, or empty),
    `is_reviewed` (by people, in all its narratives, and no disagreement is open), `n_coders`, `stratum`, `stratum_size`
    and `n_reviewed` (incidents in the stratum, and those of them that are reviewed). narratives: the same of each
    narrative by `row_num`, with `incident_id` and `narrative_type`; its stratum, with both counts, is that of its
    incident, which is what was drawn. A reviewed unit without truth is one of which the text does not tell. The truth
    of one that is not reviewed is the workbook's label, if there is one (`source` is `label`): those were not drawn,
    and belong to no design. open_disagreements: of narratives that coders do not agree on, each with the verdict of
    each coder; estimates wait for them. n_older: how many verdicts are of older answers, and do not count.
    verdicts: those that count, see `counting_verdicts`.
    """

    variable: Variable
    incidents: pd.DataFrame
    narratives: pd.DataFrame
    open_disagreements: dict[tuple[str, str], dict[str, str]]
    n_older: int
    verdicts: Sequence[Verdict] = ()


def reviewed(which: str, variable: str = "") -> Reviewed:
    """The reviews of a variable (the first binary one where it is empty) in an experiment (slug, id, or empty for the
    one started last).

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there is no such experiment or variable, or it has no findings.
        ReviewsError: the reviews are not as they were written.
    """
    read = experiment_read.read(which, variable)
    lines = review_file.read(read.experiment.folder)
    return reviewed_of(read.name, read.variable, read.population, lines)


def reviewed_of(name: str, variable: Variable, population: Population, lines: list[Line]) -> Reviewed:
    """The same, from a population and all lines of its reviews."""
    samples = review_file.deals(lines, name, SAMPLE)
    unchanged = {deal: _unchanged(line, population) for deal, line in samples.items()}
    counting = counting_verdicts(name, population, lines)
    of_coders = [each for each in counting if each.purpose == SAMPLE]
    n_older = sum(each.purpose == SAMPLE for each in review_file.latest_verdicts(lines, name)) - len(of_coders)
    used = {each.deal for each in of_coders}
    truths = truths_of_narratives(variable, counting)
    narratives = population.narratives.assign(
        truth=None, source="", is_reviewed=False, n_coders=0, stratum="", stratum_size=0, n_reviewed=0
    )
    keys = list(zip(narratives["incident_id"], narratives["narrative_type"], strict=True))
    known = [truths.get(key) for key in keys]
    rows = [
        _row(None if truth is None else (value_in(variable, truth.verdict), truth.source, truth.n_coders), label)
        for truth, label in zip(known, narratives["label"], strict=True)
    ]
    narratives[list(_COLUMNS)] = pd.DataFrame(rows, narratives.index, dtype=object)
    by_incident = pd.Series(known, narratives.index, dtype=object).groupby(narratives["incident_id"]).agg(list)
    incidents = population.incidents.drop(columns="checksum")
    rows = [
        _row(truth_of_incident(variable, by_incident[incident]), label)
        for incident, label in zip(incidents.index, incidents["label"], strict=True)
    ]
    incidents[list(_COLUMNS)] = pd.DataFrame(rows, incidents.index, dtype=object)
    incidents["stratum"] = _strata(incidents["stratum"], {deal: unchanged[deal] for deal in sorted(used)})
    incidents["stratum_size"] = incidents.groupby("stratum")["stratum"].transform("size").astype(int)
    is_reviewed = incidents["is_reviewed"].astype(int)
    incidents["n_reviewed"] = is_reviewed.groupby(incidents["stratum"]).transform("sum")
    for column in ("stratum", "stratum_size", "n_reviewed"):
        narratives[column] = incidents[column].reindex(narratives["incident_id"]).to_numpy()
    still_open = disagreements(variable, counting)
    return Reviewed(
        variable,
        _typed(incidents.drop(columns="label")),
        _typed(narratives.drop(columns="label")),
        {key: {coder: each.verdict for coder, each in of.items()} for key, of in still_open.items()},
        n_older,
        counting,
    )


def counting_verdicts(name: str, population: Population, lines: list[Line]) -> list[Verdict]:
    """The latest verdicts on the drawn narratives that are about the present answers, and those that decided
    disagreements."""
    unchanged = {deal: _unchanged(line, population) for deal, line in review_file.deals(lines, name, SAMPLE).items()}
    return [
        each
        for each in review_file.latest_verdicts(lines, name)
        if each.purpose == ADJUDICATION or (each.purpose == SAMPLE and each.incident_id in unchanged[each.deal])
    ]


def _row(truth: tuple[Any, str, int] | None, label: Any) -> tuple[Any, str, bool, int]:
    if truth is None:
        return label, LABEL if label is not None else "", False, 0
    value, source, n_coders = truth
    return value, source, source != OPEN, n_coders


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype(
        {"is_reviewed": bool, "n_coders": int, "n_reviewed": int, "stratum_size": int, "source": str, "stratum": str}
    )


def _unchanged(deal: Line, population: Population) -> set[str]:
    """The incidents whose answers are still those of the time when they were dealt."""
    incidents = population.incidents
    if deal["population"]["n"] != len(incidents):
        return set()
    _, before = population_kept(deal["population"])
    return set(incidents.index[incidents["checksum"].to_numpy() == before])


def base_stratum(strata: pd.Series) -> pd.Series:
    """The strata that were drawn from, also of incidents whose answers changed since."""
    base: pd.Series = strata.str.split(",").str[0]
    return base


def _strata(strata: pd.Series, unchanged: dict[str, set[str]]) -> pd.Series:
    """The stratum of each incident; a separate one for those whose answer changed since the same samples."""
    is_known = pd.DataFrame({deal: strata.index.isin(list(ids)) for deal, ids in unchanged.items()}, index=strata.index)
    patterns = Counter(map(tuple, is_known.to_numpy(bool)))
    changed = [pattern for pattern in patterns if not all(pattern)]
    suffix = {pattern: _CHANGED if len(changed) == 1 else f"{_CHANGED} ({at})" for at, pattern in enumerate(changed, 1)}
    ends = [suffix.get(tuple(row), "") for row in is_known.to_numpy(bool)]
    return strata + pd.Series(ends, strata.index, dtype=object)
