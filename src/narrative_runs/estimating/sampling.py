"""Which truths count, and how they were chosen: estimates without a ground are refused.

Reviews that were dealt were drawn at random within strata. Whoever labelled the workbook chose its labels:
they count where every incident has one, or where the user says that they are a random sample.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from narrative_runs.errors import FindingsError
from narrative_runs.estimates.estimators import RANDOM, STRATIFIED_DESIGN
from narrative_runs.estimates.population import Mask
from narrative_runs.findings.by_variable.outcomes import UNASKED
from narrative_runs.findings.rounding import count_of
from narrative_runs.reviews.population import Population
from narrative_runs.reviews.reviewed import Reviewed, base_stratum

REVIEWS, LABELS = "reviews", "labels"
# An unreviewed stratum may hold any share of true ones, from 0 to 1: of a larger part that says nothing.
MOST_UNREVIEWED = 0.05
FEWEST_REVIEWS = 5
_SHOWN = 8


class Sampling(NamedTuple):
    """How truths were chosen. source: REVIEWS or LABELS; design: one of `estimators.DESIGNS`; is_census: whether every
    incident has a label; is_assumed: whether it is the user alone who says that the labels are a random sample;
    n_reviewed_labels: the labelled incidents of which a review took the label's place."""

    source: str
    design: str
    is_census: bool = False
    is_assumed: bool = False
    n_reviewed_labels: int = 0


def sampling_of(slug: str, name: str, reviewed: Reviewed, population: Population, assume_random: bool) -> Sampling:
    """How the truths of a variable were chosen.

    In: the experiment's slug and the variable, for messages; its reviews; the population with the labels; whether the
    user says that the labelled incidents are a random sample of all.

    Raises:
        FindingsError: an estimate would have no ground; the message says why, and what to do.
    """
    about = f"{name} in {slug}"
    if n_open := len(reviewed.open_disagreements):
        raise FindingsError(
            f"{about}: coders do not agree on {count_of(n_open, 'narrative')}, and nobody has decided yet; estimates "
            f"wait for that. `narrative-runs review disagreements {slug} --variable {name}` writes them as a sheet."
        )
    is_labelled = labelled(population.incidents)
    is_reviewed = reviewed.incidents["is_reviewed"].to_numpy(bool)
    n_labelled, n = int(is_labelled.sum()), len(is_labelled)
    if assume_random:
        if not n_labelled:
            raise FindingsError(
                f"{about}: --assume-random is about the workbook's labels, and no incident has one."
                + (" Leave it out: how the reviews were drawn is known." if is_reviewed.any() else "")
            )
        is_census = n_labelled == n
        replaced = int((is_labelled & is_reviewed).sum())
        return Sampling(LABELS, RANDOM, is_census, is_assumed=True, n_reviewed_labels=replaced)
    if is_reviewed.any():
        _must_cover(slug, name, reviewed.incidents, bool(n_labelled))
        is_one_stratum = reviewed.incidents["stratum"].nunique() == 1
        return Sampling(REVIEWS, RANDOM if is_one_stratum else STRATIFIED_DESIGN)
    if n_labelled == n:
        return Sampling(LABELS, RANDOM, is_census=True)
    older = (
        f" The {reviewed.n_older} reviews so far are of older answers, and are not counted." if reviewed.n_older else ""
    )
    n_unasked = _n_unasked(reviewed.incidents)
    to_deal = f"`narrative-runs export {slug} --review 200 --coders NAME --variable {name}`"
    if not n_labelled:
        raise FindingsError(
            f"{about}: no incident is reviewed, and none "
            f"{'that was asked about ' if n_unasked else ''}has a label.{older} Have a sample reviewed: {to_deal} "
            "deals one."
        )
    asked = f" and were asked about (labels of the {n_unasked:,} that were not do not count)" if n_unasked else ""
    raise FindingsError(
        f"{about}: {n_labelled:,} of {n:,} incidents have a label in the workbook{asked}, and it is not known how they "
        "were chosen: if they were chosen for what they say, a prevalence computed from them is wrong, and so is its "
        f"interval.{older} Have a sample reviewed: {to_deal} deals one. Or, if the labelled incidents are a random "
        f"sample of all, say so, and the methods paragraph will: `narrative-runs estimate {slug} --assume-random`"
    )


def labelled(units: pd.DataFrame) -> Mask:
    """Whether each incident, or narrative, has a label in the workbook."""
    return np.array([label is not None for label in units["label"]], dtype=np.bool_)


def _n_unasked(incidents: pd.DataFrame) -> int:
    """How many incidents have a narrative that was not asked about: their labels are not read."""
    return int((base_stratum(incidents["stratum"]) == UNASKED).sum())


def _must_cover(slug: str, name: str, incidents: pd.DataFrame, has_labels: bool) -> None:
    """See that reviews are of all parts of the population.

    Raises:
        FindingsError: strata without a review are too large a part of it.
    """
    strata = incidents.groupby("stratum")["is_reviewed"].agg(["size", "sum"])
    lacking = strata.loc[strata["sum"] == 0, "size"].sort_values(ascending=False, kind="stable")
    part = float(lacking.sum() / strata["size"].sum())
    if part <= MOST_UNREVIEWED:
        return
    listed = ", ".join(f"{stratum} ({count_of(size, 'incident')})" for stratum, size in lacking.head(_SHOWN).items())
    more = f", and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    raise FindingsError(
        f"{name} in {slug}: nobody reviewed an incident of: {listed}{more}. That is {part:.0%} of all incidents, "
        "about which the reviews say nothing; reviews of chosen rows alone, such as those where model and label "
        f"disagree, are not a sample. Each stratum needs {FEWEST_REVIEWS} reviews (all it has, where it has fewer): "
        f"`narrative-runs export {slug} --review N --coders NAME --variable {name}` deals from all of them, and "
        "sheets are filled in from the top."
        + (
            " If the workbook's labels, with the reviews in their stead, are a random sample of all incidents, say so, "
            f"and the methods paragraph will: `narrative-runs estimate {slug} --assume-random`"
            if has_labels
            else ""
        )
    )
