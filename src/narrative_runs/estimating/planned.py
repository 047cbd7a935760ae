"""`narrative-runs estimate --plan --width W`: how many reviews an interval of this width takes, and in which strata."""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from narrative_runs import experiment, review_file
from narrative_runs.codebook.variables import Number
from narrative_runs.errors import FindingsError
from narrative_runs.estimates.estimators import STRATIFIED_DESIGN
from narrative_runs.estimates.review_plan import Plan, plan
from narrative_runs.estimating.content import (
    experiment_named,
    must_have_estimates,
    variables_to_estimate,
)
from narrative_runs.estimating.sampling import REVIEWS, Sampling
from narrative_runs.estimating.units import population, units_by_level, values_of
from narrative_runs.findings.estimates_file import INCIDENT
from narrative_runs.reviews import experiment_read
from narrative_runs.reviews.drawing import allocate
from narrative_runs.reviews.reviewed import reviewed_of

SMOOTHED = "smoothed share of positives"


class PlannedReviews(NamedTuple):
    """A plan for a variable, or for the one of its values that takes most reviews. value: which, None for a binary
    variable; n_dealt: how many incidents `export --review` has to deal, so that each stratum gets as many as the plan
    has; n_reviewed: how many are reviewed so far."""

    slug: str
    variable: str
    value: str | None
    plan: Plan
    n_dealt: int
    n_reviewed: int


def planned_reviews(which: str, variable: str, width: float) -> PlannedReviews:
    """Plan the reviews of a variable (the first that can be planned where it is empty).

    width: of the interval, from its lower to its upper bound, in points of 0 to 1.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there is no such experiment or variable, reviews of it cannot be planned, or the width is none.
        ReviewsError: the reviews are not as they were written.
    """
    if not 0 < width < 1:
        raise FindingsError(
            f"--width {width:g}: give the width of the interval, from its lower to its upper bound, between 0 and 1, "
            "such as .03 for 3 points."
        )
    folder, state = experiment_named(which)
    names = variables_to_estimate(experiment.codebook_of(state.params))
    read = experiment_read.read(folder.slug, variable or next(iter(names), ""))
    must_have_estimates(read)
    if isinstance(read.variable, Number):
        raise FindingsError(
            f"{read.name} in {folder.slug} is a number: reviews are planned for prevalences. Name a binary, category "
            "or ordinal variable: --variable NAME"
        )
    if experiment.suppress_below(folder, state):
        raise FindingsError(
            f"A plan shows how many incidents are in each stratum, and report.suppress_below of {folder.slug} masks "
            "small counts."
        )
    reviewed = reviewed_of(read.name, read.variable, read.population, review_file.read(folder))
    sampling = Sampling(REVIEWS, STRATIFIED_DESIGN)
    units = units_by_level(read, reviewed, sampling, pd.DataFrame())[INCIDENT]
    plans = {value: plan(population(units, value), width) for value in values_of(read.variable) or (None,)}
    value = max(plans, key=lambda each: plans[each].n_planned)
    sizes = {str(stratum): int(size) for stratum, size in reviewed.incidents["stratum"].value_counts().items()}
    n_reviewed = int(units.is_known.sum())
    return PlannedReviews(folder.slug, read.name, value, plans[value], dealt_for(plans[value], sizes), n_reviewed)


def dealt_for(made: Plan, sizes: dict[str, int]) -> int:
    """How many incidents `export --review`, which draws equally many of each stratum, has to deal, so that each stratum
    gets as many as planned.

    In: the incidents of each stratum.
    """
    needed: dict[str, int] = dict.fromkeys(sizes, 0)
    for stratum in made.strata:
        needed[stratum.stratum] += stratum.n_planned
    low, high = 1, sum(sizes.values())
    while low < high:
        middle = (low + high) // 2
        drawn = allocate(sizes, middle)
        is_enough = all(drawn[name] >= n for name, n in needed.items())
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return low


def shown_plan(planned: PlannedReviews, width: float) -> Iterator[RenderableType]:
    """The plan as the user sees it."""
    made = planned.plan
    what = f"{planned.variable} {planned.value}" if planned.value else planned.variable
    unknown = (
        "Nothing is reviewed yet, so that half of each stratum is taken as positive, which is the worst case. Review "
        "some 100 incidents first, and plan again: it will be fewer."
    )
    if made.is_wide:
        yield Text(
            f"{what} in {planned.slug}: even where all incidents are reviewed the interval is {made.width:.3f} wide, "
            f"and not {width:g}: there are too few incidents." + ("" if planned.n_reviewed else f" {unknown}")
        )
        return
    table = Table(title=Text(f"{what} in {planned.slug}"), box=None, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column("stratum")
    table.add_column("model says")
    for head in ("incidents", "reviewed", SMOOTHED, "to review in all"):
        table.add_column(head, justify="right")
    for row in made.strata:
        says = {None: "nothing", 1: "yes", 0: "no"}[row.predicted]
        share = f"{row.share:.2f}" if row.n_reviewed else "not known"
        table.add_row(Text(row.stratum), says, f"{row.size:,}", f"{row.n_reviewed:,}", share, f"{row.n_planned:,}")
    yield table
    if planned.n_reviewed:
        yield Text(
            f"{SMOOTHED.capitalize()}: (positives + 0.5) / (reviewed + 1). A stratum in which all, or none, of a few "
            "reviews are positive may still hold others."
        )
    yield Text(
        f"{made.n_planned:,} reviews in all, of which {planned.n_reviewed:,} are there, give an interval "
        f"{made.width:.3f} wide. Drawn at random without strata it would take "
        f"{_number(made.n_at_random)}, and by reviews alone, without the model's answers, "
        f"{_number(made.n_labels_alone)}."
    )
    if not planned.n_reviewed:
        yield Text(unknown)
    yield Text(
        f"`narrative-runs export {planned.slug} --review {planned.n_dealt} --coders NAME --variable "
        f"{planned.variable}` deals as many of each stratum, or more: it draws equally many of each."
    )


def _number(count: int | None) -> str:
    return "more incidents than there are" if count is None else f"{count:,}"
