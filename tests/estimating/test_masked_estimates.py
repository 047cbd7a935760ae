import re
from typing import Any

import numpy as np
import pytest

from narrative_runs.codebook.variables import Binary
from narrative_runs.estimates.estimators import STRATIFIED_DESIGN
from narrative_runs.estimating.masked import MASKED_BECAUSE, masked_estimates, masked_notes
from narrative_runs.estimating.measured import level
from narrative_runs.estimating.sampling import REVIEWS, Sampling
from narrative_runs.estimating.units import units_by_level
from narrative_runs.findings.suppression import MASKED
from tests.estimating.made_reviews import Made, counts
from tests.estimating.test_measured import grouped_by

BELOW = 10
DRAWN = Sampling(REVIEWS, STRATIFIED_DESIGN)
SHOWN: dict[str, Any] = {"incident": {"tp": 40}, "overall": {"tp": 80}}


def variables(made: Made, groups: list[str] | None = None) -> dict[str, Any]:
    """What there is of the variable before anything is masked."""
    units = units_by_level(made.read, made.reviewed, DRAWN, grouped_by(groups or []))
    references = {"Sex": groups[0]} if groups else {}
    return {
        "detected": {
            "type": "binary",
            "reading": None,
            **{each: level(Binary(), units[each], DRAWN, references) for each in units},
        }
    }


def masked(found: dict[str, Any], shown: dict[str, Any] | None = None) -> dict[str, Any]:
    published: dict[str, Any] = masked_estimates(found, shown or SHOWN, "detected", BELOW)["detected"]
    return published


def test_large_counts_are_shown() -> None:
    """Where no count is small, or there is no limit, all is shown as it is."""
    whole = variables(Made(counts(true_positive=(40, 20, 15), true_negative=(160, 20, 1))))
    assert masked(whole) == whole["detected"]
    few = variables(Made(counts(true_positive=(4, 4, 3), true_negative=(160, 20, 1))))
    assert masked_estimates(few, SHOWN, "detected", 0) == few


@pytest.mark.parametrize(
    "strata",
    [
        {"true_positive": (9, 5, 3), "true_negative": (160, 20, 1)},
        {"true_positive": (160, 20, 15), "true_negative": (9, 5, 1)},
        {"true_positive": (40, 4, 3), "true_negative": (160, 5, 1)},
    ],
    ids=["few detections", "few others", "few reviews"],
)
def test_a_small_count_masks_its_level(strata: dict[str, tuple[int, int, int]]) -> None:
    """Where few incidents are detected, not detected or reviewed, no number of theirs is shown, nor a count that would
    tell one; how many are errors is."""
    published = masked(variables(Made(counts(**strata))))["incident"]
    assert published["prevalence"] == published["n_answered"] == published["n_reviewed"] == MASKED
    assert published["n_errors"] == 0


def test_what_the_metrics_mask_is_masked() -> None:
    """A level of which the metrics mask anything is masked, though its own counts are large."""
    whole = variables(Made(counts(true_positive=(40, 20, 15), true_negative=(160, 20, 1))))
    published = masked(whole, {"incident": {"tp": MASKED}, "overall": {"tp": 80}})
    assert published["incident"]["prevalence"] == MASKED and published["narrative"] == whole["detected"]["narrative"]


@pytest.mark.parametrize(
    ("strata", "kinds"),
    [
        ({"true_positive": (9, 5, 3), "true_negative": (160, 20, 1)}, ["by the model's answer"]),
        ({"true_positive": (40, 4, 3), "true_negative": (160, 5, 1)}, ["reviewed"]),
    ],
)
def test_a_masked_level_says_which_kinds_of_counts_are_small(
    strata: dict[str, tuple[int, int, int]], kinds: list[str]
) -> None:
    """The kinds are in the file, and a note for the user has them, the limit, and what can be done; neither has a
    count."""
    published = masked(variables(Made(counts(**strata))))
    assert published["incident"][MASKED_BECAUSE] == kinds
    note = next(masked_notes("detected", published, BELOW, "narrative-runs estimate cases"))
    assert f"report.suppress_below ({BELOW})" in note and f"is among these: {kinds[0]}." in note
    assert ("More reviews" in note) == (kinds == ["reviewed"]) and note.endswith("`narrative-runs estimate cases`")
    assert re.findall(r"\d+", note) == [str(BELOW)]


def test_kinds_that_the_metrics_mask_are_named() -> None:
    """Where the metrics mask the outcomes, as two false negatives make them do, these are named; where nothing is
    masked, no note is shown."""
    whole = variables(Made(counts(true_positive=(40, 20, 15), true_negative=(160, 20, 1))))
    hidden = {
        "incident": {"tp": MASKED, "fn": MASKED, "n": 40},
        "overall": {"n_partly_labelled": MASKED},
    }
    published = masked(whole, hidden)
    assert len(published["incident"][MASKED_BECAUSE]) == 1
    assert published["incident"][MASKED_BECAUSE][0].startswith("by outcome (true and false positives and negatives")
    assert published["narrative"][MASKED_BECAUSE] == ["other counts that the metrics mask"]
    assert not list(masked_notes("detected", masked(whole), BELOW, "narrative-runs estimate cases"))


def test_groups_are_masked_as_a_whole() -> None:
    """Where one group has a small count, all groups of the column are masked, so that nobody computes it from the
    sum."""
    made = Made(counts(true_positive=(100, 60, 50), true_negative=(200, 60, 2)))
    large = masked(variables(made, ["f", "m"] * 150))["incident"]["by"]["Sex"]
    assert set(large) == {"f", "m"} and large["f"]["prevalence"] != MASKED
    published = masked(variables(made, [*["x"] * 12, *["f", "m"] * 144]))["incident"]
    assert published["by"] == {"Sex": MASKED} and published["prevalence"] != MASKED


def test_few_in_no_group_mask_the_column() -> None:
    """Where few incidents are in no group, the groups would tell how many: they are masked."""
    made = Made(counts(true_positive=(100, 60, 50), true_negative=(200, 60, 2)))
    groups: Any = np.array(["f", "m"] * 150, dtype=object)
    groups[:3] = None
    assert masked(variables(made, list(groups)))["incident"]["by"]["Sex"] == MASKED
