from typing import Any

import pytest

from narrative_runs.estimates.estimators import GAPS, POST_STRATIFIED, POWERED, STRATIFIED, STRATIFIED_T
from narrative_runs.estimating.measured import CENSUS
from narrative_runs.estimating.methods import methods, works_cited
from narrative_runs.estimating.reading import ADJUDICATED, ANOTHER, KAPPA, OTHERS, masked_reading
from narrative_runs.findings.suppression import MASKED

RATE = {"value": 0.12, "low": 0.1, "high": 0.14}
NAIVE = {"value": 0.14, "low": 0.136, "high": 0.144}


def reading(*by_coder: int, several: int = 40, **changed: Any) -> dict[str, Any]:
    """What estimates.json has of how a sample was read."""
    return {
        "n_incidents_by_coder": list(by_coder or (220, 220)),
        "n_read_by_several": several,
        "is_blind": None,
        "n_decided": 0,
        "decided_by": None,
        "agreement": None,
        **changed,
    }


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
        "reading": reading(),
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
        "People reviewed 400 of them, drawn at random within strata",
        "Two coders read 220 incidents each, 40 of which both read.",
        "95%",
        "The prevalence of detected in incidents is 12.0% (10.0% to 14.0%)",
        "the model alone, not corrected, says 14.0%",
    ):
        assert part in words


@pytest.mark.parametrize(
    ("n_coders", "read", "sentence"),
    [
        (1, reading(400, several=0), "One coder read all of their narratives."),
        (2, reading(80, 45, several=5), "Two coders read 45 to 80 incidents each, 5 of which both read."),
        (2, reading(60, 60, several=0), "Two coders read 60 incidents each, none of which both read."),
        (2, reading(60, 60, several=60), "Two coders read 60 incidents each, all of which both read."),
        (2, reading(1, 1, several=0), "Two coders read 1 incident each, none of which both read."),
        (
            3,
            reading(50, 50, 40, several=1),
            "Three coders read 40 to 50 incidents each; two or more of them read 1 ",
        ),
        (3, reading(50, 50, 40, several=0), "each, and no incident was read by two of them."),
        (2, reading(n_decided=1, decided_by=ANOTHER), "; 1 disagreement was decided by a third person."),
        (2, reading(n_decided=4, decided_by=OTHERS), "; 4 disagreements were decided by other people."),
        (3, reading(n_decided=2, decided_by=ANOTHER), "; 2 disagreements were decided by another person."),
        (2, reading(n_decided=2, decided_by=ADJUDICATED), "; 2 disagreements were decided by adjudication."),
        (2, reading(is_blind=True), "The sheets that they filled in did not show the model's answers."),
        (2, reading(is_blind=False), "The sheets that they filled in showed the model's answers."),
        (
            2,
            reading(agreement={"measure": KAPPA, "narratives": 80, "value": 0.847, "low": 0.7, "high": 0.95}),
            "In the 80 narratives that both read, Cohen's kappa was 0.85 (0.70 to 0.95).",
        ),
    ],
)
def test_the_reading_is_as_it_was(n_coders: int, read: dict[str, Any], sentence: str) -> None:
    """How many coders read how many incidents, how many of these several read, and who decided on how many
    disagreements: no sentence lets a reader take it that each read all, unless each did."""
    words = methods({"detected": variable(n_coders=n_coders, reading=read)}, {})
    assert sentence in words and "people read all" not in words


def test_what_nobody_knows_of_the_reading_is_left_out() -> None:
    """Where it is not known what the sheets showed, where no disagreement was decided, and where nobody read what
    another had read, nothing is said of it."""
    words = methods({"detected": variable(reading=reading(several=0))}, {})
    assert not any(part in words for part in ("sheets", "disagreement", "kappa", "agree"))


def test_masked_readings_show_no_count() -> None:
    """Where counts of the reading are masked the paragraph has none of them."""
    known = reading(80, 80, n_decided=2, decided_by=ANOTHER)
    words = methods({"detected": variable(reading=masked_reading(known, True, 10))}, {})
    assert "Two coders read them; how many each of them read is not shown" in words
    assert "disagreements were decided by a third person" in words and "80" not in words


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
    assert "400 of them have a label in the workbook and were asked about, in 31 of which" in words
    assert "in 31 of which a review took the place of the label" in words and "which is an assumption" in words
    assert "an assumption" not in methods({"detected": variable()}, {})


def test_a_part_without_reviews_stands_in_the_paragraph() -> None:
    """Where a small stratum has no review, the paragraph says what was taken of it."""
    assert "may hold any proportion, from none to all" in methods({"detected": variable(GAPS)}, {})


def test_what_was_corrected_is_the_subject() -> None:
    """The sentence about the correction is about prevalences, means or both, by proportions of positives, of the value
    of a category, or of either."""
    weapon = variable({"gun": STRATIFIED}, type="category")
    weapon["incident"] = {**weapon["incident"], "prevalence": {"gun": weapon["incident"]["prevalence"]}}
    age = variable(STRATIFIED_T, type="number")
    age["incident"]["mean"] = age["incident"].pop("prevalence")
    binary = methods({"detected": variable()}, {})
    assert (
        "Prevalences were corrected for the errors of the model as the mean of the proportions of positives" in binary
    )
    assert "true ones" not in binary and "They were" not in binary
    assert "mean of the proportions of the value within" in methods({"weapon": weapon}, {})
    both = methods({"detected": variable(), "weapon": weapon, "age": age}, {})
    assert "Prevalences and means were corrected" in both and "proportions of positives or of the value within" in both
    assert "Means were corrected" in methods({"age": age}, {})


def test_what_classified_the_narratives_comes_first() -> None:
    """The sentence about software, model and prompt begins the paragraph."""
    assert methods({"detected": variable()}, {}, "Narratives were.").startswith("Narratives were. Estimates are of all")


def test_a_census_has_an_interval_all_the_same() -> None:
    """Where every incident has a label, the paragraph says what its interval is for, and calls nothing exact."""
    words = methods({"detected": variable(CENSUS, "random", source="labels")}, {})
    assert "its interval is for the rate of which the incidents of the workbook are a sample" in words
    assert "exact" not in words


def test_groups_cite_how_they_are_compared() -> None:
    """With groups the paragraph names the one that the others are compared with, and the works of the comparison."""
    assert "(m of Sex)" in methods({"detected": variable()}, {"Sex": "m"})
    assert any("Donner A" in work for work in works_cited({"detected": variable()}, True))


def test_variables_of_different_samples_are_told_apart() -> None:
    """Two variables that were reviewed to different extents are named with their numbers."""
    other = variable()
    other["incident"] = {**other["incident"], "n_reviewed": 150}
    words = methods({"detected": variable(), "threat": other}, {})
    assert "For detected: people reviewed 400 of them" in words and "For threat: people reviewed 150 of them" in words


def test_a_masked_variable_shows_no_number() -> None:
    """Of a variable that is masked the paragraph has neither prevalence nor number of reviews."""
    hidden = variable()
    hidden["incident"] = {**hidden["incident"], **dict.fromkeys(("prevalence", "n_answered", "n_reviewed"), MASKED)}
    hidden["incident"]["masked_because"] = ["labelled", "reviewed"]
    words = methods({"detected": hidden}, {})
    assert "would reveal a small one: labelled, reviewed." in words
    assert "small counts are masked" in words and "400" not in words and "12.0" not in words
