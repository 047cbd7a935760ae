import numpy as np
import pandas as pd

from narrative_runs.codebook.variables import Category, Number
from narrative_runs.estimates.estimators import RANDOM, STRATIFIED_DESIGN
from narrative_runs.estimating.sampling import LABELS, REVIEWS, Sampling
from narrative_runs.estimating.units import Units, numbers, population, units_by_level, values_of
from narrative_runs.findings.estimates_file import INCIDENT, NARRATIVE
from tests.estimating.made_reviews import Made, counts

DRAWN = Sampling(REVIEWS, STRATIFIED_DESIGN)
WEAPON = Category(values={"firearm": "", "poison": ""})


def units_of(made: Made, sampling: Sampling = DRAWN, grouped: pd.DataFrame | None = None) -> dict[str, Units]:
    return units_by_level(made.read, made.reviewed, sampling, pd.DataFrame() if grouped is None else grouped)


def test_errors_and_unasked_belong_to_the_population() -> None:
    """Incidents without an answer are units like others, without a prediction, and counted by the reason."""
    made = Made(counts(true_positive=(4, 2, 1), error=(3, 1, 1), unasked=(2, 1, 0)))
    for level, times in ((INCIDENT, 1), (NARRATIVE, 2)):
        units = units_of(made)[level]
        known = population(units, None)
        assert len(known.predicted) == 9 * times
        assert (units.is_error.sum(), units.is_unasked.sum()) == (3 * times, 2 * times)
        assert np.isnan(known.predicted).sum() == 5 * times
        assert np.nansum(known.truth) == 2 * times and known.is_reviewed.sum() == 4 * times


def test_a_text_that_does_not_tell_has_no_finding() -> None:
    """What people call unclear is reviewed, and is none of the values; a number that nobody can tell is not known."""
    rows = [("right", "firearm", "firearm", True, None), ("right", "poison", None, True, None)]
    units = units_of(Made(rows, WEAPON))[INCIDENT]
    assert population(units, "firearm").truth.tolist() == [1, 0]
    assert population(units, "poison").truth.tolist() == [0, 0]
    made = Made([("right", 3.0, 4.0, True, None), ("unclear", None, None, True, None)], Number())
    of_numbers = numbers(units_of(made)[INCIDENT])
    np.testing.assert_array_equal(of_numbers.truth, [4, np.nan])
    np.testing.assert_array_equal(of_numbers.predicted, [3, np.nan])


def test_labels_do_not_mix_with_reviews() -> None:
    """Where reviews were drawn, the label of an incident that nobody read is no truth."""
    rows = [("true negative", False, True, True, False), ("true negative", False, None, False, True)]
    units = units_of(Made(rows))[INCIDENT]
    assert population(units, None).is_reviewed.tolist() == [True, False]
    labels = units_of(Made(rows), Sampling(LABELS, RANDOM, is_assumed=True))[INCIDENT]
    assert population(labels, None).truth.tolist() == [1, 1], "the review takes the place of the first label"


def test_narratives_count_where_their_whole_incident_is_reviewed() -> None:
    """A narrative of an incident of which another one was not read yet does not count: incidents were drawn."""
    made = Made(counts(true_positive=(3, 1, 1)))
    made.reviewed.narratives.loc[3, ["is_reviewed", "truth"]] = [True, True]
    assert units_of(made)[NARRATIVE].is_known.tolist() == [True, True, False, False, False, False]


def test_a_census_of_incidents_is_none_of_narratives() -> None:
    """Where all incidents have a label and some narratives none, those of the others are no sample, and do not
    count."""
    made = Made([("true negative", False, None, False, False)] * 3)
    made.population.narratives.loc[2, "label"] = None
    units = units_of(made, Sampling(LABELS, RANDOM, is_census=True))
    assert units[INCIDENT].is_known.all() and not units[NARRATIVE].is_known.any()


def test_groups_are_of_incidents_with_all_narratives_in_one() -> None:
    """An incident is in the group of all its narratives; one whose narratives are in two is in none."""
    made = Made(counts(true_positive=(3, 1, 1)))
    grouped = pd.DataFrame({"Sex": ["f", "f", "m", "f", "m", "m"]}, pd.RangeIndex(1, 7, name="row_num"))
    units = units_of(made, grouped=grouped)
    assert units[INCIDENT].group["Sex"].tolist() == ["f", None, "m"]
    assert units[NARRATIVE].group["Sex"].tolist() == ["f", "f", "m", "f", "m", "m"]
    part = units[NARRATIVE].at(units[NARRATIVE].group["Sex"] == "m")
    assert part.incident.tolist() == [1, 2, 2] and part.group["Sex"].tolist() == ["m"] * 3


def test_values_with_a_prevalence_of_their_own() -> None:
    """A category has one prevalence a value; a number, and a yes or no, have no values to part by."""
    assert values_of(WEAPON) == ("firearm", "poison")
    assert values_of(Number()) == () == values_of(Made([("right", 1.0, 1.0, True, None)]).variable)
