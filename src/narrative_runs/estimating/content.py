"""The content of estimates.json: it follows from answers, reviews and the user's wish, not from clock or host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from narrative_runs import experiment, finished, journal, review_file
from narrative_runs.codebook.variables import Binary, Category, Codebook, Number, Ordinal
from narrative_runs.errors import FindingsError
from narrative_runs.estimating.masked import masked_estimates, masked_notes
from narrative_runs.estimating.measured import largest_groups, level
from narrative_runs.estimating.methods import methods, works_cited
from narrative_runs.estimating.reading import reading_of
from narrative_runs.estimating.sampling import REVIEWS, sampling_of
from narrative_runs.estimating.units import units_by_level
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.estimates_file import ASKED, INCIDENT, MADE_FROM, Wish, made_from
from narrative_runs.findings.suppression import masked_metrics
from narrative_runs.monitoring.experiments import chosen
from narrative_runs.params import bootstrap_seed, check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.report.cited import cited
from narrative_runs.report.contents import models_answered
from narrative_runs.report.header import ReportHeader, sessions_in
from narrative_runs.reviews import experiment_read
from narrative_runs.reviews.bringing_in import passed_over
from narrative_runs.reviews.experiment_read import ToReview
from narrative_runs.reviews.reviewed import Reviewed, reviewed_of
from narrative_runs.source.groups import read_groups

# A reason tells how many incidents are in which stratum.
_HIDDEN_REASON = "why it could not be estimated is told by `narrative-runs estimate` alone, as small counts are masked."
_TYPES = "binary, category, ordinal and number"


@dataclass(frozen=True)
class Estimates:
    """content: of estimates.json; notes: further lines for the user, such as why a variable could not be estimated."""

    folder: ExperimentFolder
    content: dict[str, Any]
    notes: Sequence[str]


def estimates_of(which: str, wish: Wish) -> Estimates:
    """The estimates of an experiment (slug, id, or empty for the one started last).

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there is no such experiment, variable or column, or of no variable an estimate would have a
            ground; the message says why.
        ReviewsError: the reviews are not as they were written.
    """
    folder, state = experiment_named(which)
    codebook = experiment.codebook_of(state.params)
    names = wish.variables or variables_to_estimate(codebook)
    if not names:
        raise FindingsError(f"{folder.slug} has no variable of a type that is estimated: {_TYPES}.")
    first = experiment_read.read(folder.slug, names[0])
    below = experiment.suppress_below(folder, state)
    lines = review_file.read(folder)
    seed = bootstrap_seed(state.params.get("run", {}).get("seed"))
    grouped = _grouped(folder, wish.by)
    variables: dict[str, dict[str, Any]] = {}
    refused: dict[str, str] = {}
    notes: list[str] = []
    references: dict[str, str] = {}
    for name in names:
        read = first if name == first.name else experiment_read.read(folder.slug, name)
        of_variable = reviewed_of(name, read.variable, read.population, lines)
        try:
            must_have_estimates(read)
            sampling = sampling_of(folder.slug, name, of_variable, read.population, wish.assume_random)
        except FindingsError as error:
            refused[name] = str(error)
            continue
        units = units_by_level(read, of_variable, sampling, grouped)
        references = largest_groups(units[INCIDENT])
        variables[name] = {
            "type": read.variable.type,
            "source": sampling.source,
            "n_coders": _n_coders(of_variable),
            "reading": reading_of(read, of_variable, lines, seed) if sampling.source == REVIEWS else None,
            "is_assumed_random": sampling.is_assumed,
            "n_reviewed_labels": sampling.n_reviewed_labels,
            **{each: level(read.variable, units[each], sampling, references) for each in units},
        }
        notes += _notes(name, of_variable)
    if not variables:
        raise FindingsError("\n".join(refused.values()) or f"{folder.slug} has no variable that could be estimated.")
    shown = masked_metrics(first.experiment.metrics, below, codebook)
    published = masked_estimates(variables, shown, codebook.first_binary, below)
    notes += passed_over(lines) if any(each["source"] == REVIEWS for each in variables.values()) else []
    content = {
        "experiment_id": first.experiment.state.experiment_id,
        MADE_FROM: made_from(folder, below),
        ASKED: {"variables": list(wish.variables), "by": list(wish.by), "assume_random": wish.assume_random},
        "methods": methods(published, references, _classified(folder, state)),
        "references": works_cited(published, bool(references)),
        "compared_with": references,
        "variables": published,
        "refused": dict.fromkeys(refused, _HIDDEN_REASON) if below else refused,
    }
    command = wish.command(folder.slug)
    notes += [note for name, each in published.items() for note in masked_notes(name, each, below, command)]
    notes += [f"Not estimated: {reason}" for reason in refused.values()]
    return Estimates(folder, content, notes)


def experiment_named(which: str) -> tuple[ExperimentFolder, ExperimentState]:
    """The experiment with this slug or id, or the one started last where `which` is empty.

    Raises:
        FindingsError: there is no such experiment.
        ExperimentError: there is none yet.
    """
    if not which:
        row = chosen("").row
        which = row["slug"] or row["experiment_id"]
    return finished.named(which)


def variables_to_estimate(codebook: Codebook) -> tuple[str, ...]:
    """The variables that have a prevalence or a mean."""
    if codebook.fits_the_record:
        return (codebook.first_binary,) if codebook.first_binary else ()
    return tuple(
        name for name, each in codebook.variables.items() if isinstance(each, Binary | Category | Ordinal | Number)
    )


def must_have_estimates(read: ToReview) -> None:
    """See that a variable has a prevalence or a mean.

    Raises:
        FindingsError: it is of another type.
    """
    if not isinstance(read.variable, Binary | Category | Ordinal | Number):
        raise FindingsError(
            f"{read.name} in {read.experiment.folder.slug} is of the type {read.variable.type}. These are estimated: "
            f"{_TYPES}."
        )


def _grouped(folder: ExperimentFolder, columns: Sequence[str]) -> pd.DataFrame:
    if not columns:
        return pd.DataFrame()
    if not folder.other_columns.exists():
        raise FindingsError(f"--by {columns[0]}: the workbook has no columns other than those of its layout.")
    table: pd.DataFrame = read_groups(folder.other_columns, columns, "--by").to_pandas()
    return table.set_index("row_num")


def _classified(folder: ExperimentFolder, state: ExperimentState) -> str:
    """Which software, model and settings classified the narratives, as the report has it."""
    params = check(state.params, str(folder.journals)).model_dump(mode="json")
    sessions = sessions_in(journal.heads(folder.journals))
    header = ReportHeader(state.experiment_id, folder.slug, state.source_md5, params, sessions)
    results = pq.read_table(folder.result_table, columns=["model_answered"]).to_pandas()
    return cited(header, models_answered(results)).sentence


def _n_coders(reviewed: Reviewed) -> int:
    return len({each.coder for each in reviewed.verdicts if each.purpose == review_file.SAMPLE})


def _notes(name: str, reviewed: Reviewed) -> list[str]:
    if not reviewed.n_older:
        return []
    return [f"{name}: {reviewed.n_older} reviews are of older answers, and are not counted."]
