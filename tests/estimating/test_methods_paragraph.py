from typing import Any

import pytest

from narrative_runs.estimates.estimators import GAPS, POST_STRATIFIED, POWERED, STRATIFIED, STRATIFIED_T
from narrative_runs.estimating.measured import CENSUS
from narrative_runs.estimating.methods import methods, works_cited
from narrative_runs.findings.suppression import MASKED

RATE = {"value": 0.12, "low": 0.1, "high": 0.14}
NAIVE = {"value": 0.14, "low": 0.136, "high": 0.144}


def variable(estimator: Any = STRATIFIED, design: str = "stratified", **changed: Any) -> dict[str, Any]:
    """What estimates.json has of a binary variable."""
    scope = {
        "prevalence": {"corrected": RATE, "labelled": RATE, "naive": NAIVE},
        "n": 35_312,
        "n_answered": 35_300,
        "n_errors": 8,
        "n_unasked": 4,
        "n_reviewed": 400,
        "design": design,
        "estimator": estimator,
    }
    return {
        "type": "binary",
        "source": "reviews",
        "n_coders": 2,
        "is_assumed_random": False,
        "n_reviewed_labels": 0,
        "incident": scope,
        **changed,
    }


def test_the_paragraph_says_what_was_done() -> None:
    """It has the population with errors and unasked incidents, the numbers of reviews and of people, the design, the
    corrected number with its interval, and calls the model's own number not corrected."""
    words = methods({"detected": variable()}, {})
    for part in (
        "all 35,312 incidents",
        "an error (8)",
        "was not asked (4)",
        "Of 400 of them, drawn at random within strata",
        "2 people",
        "95%",
        "The prevalence of detected in incidents is 12.0% (10.0% to 14.0%)",
        "the model alone, not corrected, says 14.0%",
    ):
        assert part in words


@pytest.mark.parametrize(
    ("estimator", "cited"),
    [
        (POWERED, {"Angelopoulos AN, Bates", "arXiv:2311.01453"}),
        (STRATIFIED, {"Horvitz DG", "Brown LD", "Zou GY"}),
        (POST_STRATIFIED, {"Horvitz DG", "Brown LD", "Zou GY"}),
        (GAPS, {"Horvitz DG", "Brown LD", "Zou GY"}),
        (STRATIFIED_T, {"arXiv:2311.01453", "Fisch A", "Horvitz DG"}),
        (CENSUS, set()),
    ],
)
def test_what_was_used_is_cited(estimator: str, cited: set[str]) -> None:
    """Each estimator brings its works, and no others."""
    works = works_cited({"detected": variable(estimator)}, False)
    assert len(works) == len(cited) and all(any(part in work for work in works) for part in cited)


def test_an_assumption_stands_in_the_paragraph() -> None:
    """Where labels are a random sample by the user's word alone, the paragraph calls it an assumption, with how many
    labels were replaced."""
    assumed = variable(POWERED, "random", source="labels", is_assumed_random=True, n_reviewed_labels=31)
    words = methods({"detected": assumed}, {})
    assert "in 31 of which a review took the place of the label" in words and "which is an assumption" in words
    assert "an assumption" not in methods({"detected": variable()}, {})


def test_a_part_without_reviews_stands_in_the_paragraph() -> None:
    """Where a small stratum has no review, the paragraph says what was taken of it."""
    assert "may hold any share, from none to all" in methods({"detected": variable(GAPS)}, {})


def test_groups_cite_how_they_are_compared() -> None:
    """With groups the paragraph names the one that the others are compared with, and the works of the comparison."""
    assert "(m of Sex)" in methods({"detected": variable()}, {"Sex": "m"})
    assert any("Donner A" in work for work in works_cited({"detected": variable()}, True))


def test_variables_of_different_samples_are_told_apart() -> None:
    """Two variables that were reviewed to different extents are named with their numbers."""
    other = variable()
    other["incident"] = {**other["incident"], "n_reviewed": 150}
    words = methods({"detected": variable(), "threat": other}, {})
    assert "For detected: of 400 of them" in words and "For threat: of 150 of them" in words


def test_a_masked_variable_shows_no_number() -> None:
    """Of a variable that is masked the paragraph has neither prevalence nor number of reviews."""
    hidden = variable()
    hidden["incident"] = {**hidden["incident"], **dict.fromkeys(("prevalence", "n_answered", "n_reviewed"), MASKED)}
    words = methods({"detected": hidden}, {})
    assert "small counts are masked" in words and "400" not in words and "12.0" not in words
