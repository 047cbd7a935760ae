import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from narrative_runs.findings.incidents import agreement, by_incident, completeness


def narratives(*rows: tuple[str, str, bool | None, float | None, float | None]) -> pd.DataFrame:
    """Narratives as (incident, type, detected or None for an error, label, label of the incident)."""
    table = pd.DataFrame(rows, columns=["incident_id", "narrative_type", "detected", "label", "manual_flag"])
    table["answered"] = table["detected"].notna()
    table["detected"] = table["detected"].eq(True)
    return table.astype({"label": "float64", "manual_flag": "float64"})


@pytest.mark.parametrize(
    ("cme", "le", "incident", "expected"),
    [
        (1, 0, None, 1),
        (0, 0, None, 0),
        (1, None, None, None),
        (0, None, None, None),
        (1, None, 1, 1),
        (None, None, 0, 0),
        (None, None, None, None),
        (1, 1, 0, 0),
        (0, 0, 1, 1),
    ],
)
def test_the_label_of_an_incident(cme: int | None, le: int | None, incident: int | None, expected: int | None) -> None:
    """An incident's own label stands; without one, it has a label only if all its narratives have: a missing one is not
    negative, and those with a positive one are no fair sample."""
    table = by_incident(narratives(("a", "cme", True, cme, incident), ("a", "le", True, le, incident)))
    label = table["label"].item()
    assert pd.isna(label) if expected is None else label == expected


def test_an_incident_is_detected_if_any_narrative_is() -> None:
    """One positive narrative makes a positive incident; a missing narrative makes no difference."""
    table = by_incident(
        narratives(
            ("a", "cme", True, None, None),
            ("a", "le", False, None, None),
            ("b", "le", False, None, None),
            ("c", "cme", True, None, None),
        )
    )
    assert list(table["detected"]) == [True, False, True]
    assert table["answered"].all()


def test_an_incident_with_an_error_is_not_answered_even_if_the_other_narrative_is_positive() -> None:
    """Positive incidents with an error do not survive where negative ones would be lost."""
    table = by_incident(
        narratives(
            ("a", "cme", True, 1, None),
            ("a", "le", None, 1, None),
            ("b", "cme", False, 0, None),
            ("b", "le", None, 0, None),
        )
    )
    assert not table["answered"].any()


def test_agreement_of_the_production_run() -> None:
    """15,327 incidents with both narratives, 313 positive in both, 562 in one and 571 in the other: 92.6%
    agree."""
    cases = [(True, True, 313), (True, False, 562), (False, True, 571), (False, False, 13_881)]
    pairs = [(cme, le) for cme, le, incidents in cases for _ in range(incidents)]
    rows = [(str(i), "cme", cme, None, None) for i, (cme, _) in enumerate(pairs)]
    rows += [(str(i), "le", le, None, None) for i, (_, le) in enumerate(pairs)]
    found = agreement(narratives(*rows), seed=1)
    assert found["n"] == 15_327
    assert [found[case] for case in ("both_positive", "cme_only", "le_only", "both_negative")] == [
        313,
        562,
        571,
        13_881,
    ]
    assert round(found["agreement"]["value"], 3) == 0.926
    # (observed - expected) / (1 - expected), with 875 positive cme and 884 positive le narratives
    expected = (875 * 884 + (15_327 - 875) * (15_327 - 884)) / 15_327**2
    assert found["kappa"]["value"] == pytest.approx(((313 + 13_881) / 15_327 - expected) / (1 - expected))
    assert found["kappa"]["low"] < found["kappa"]["value"] < found["kappa"]["high"]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_agreement_agrees_with_statsmodels(pairs: list[tuple[bool, bool]]) -> None:
    """Share and kappa are those of an independent implementation; where one answer is always given, kappa may be
    undefined."""
    rows = [(str(at), "cme", cme, None, None) for at, (cme, _) in enumerate(pairs)]
    rows += [(str(at), "le", le, None, None) for at, (_, le) in enumerate(pairs)]
    found = agreement(narratives(*rows), seed=1)
    table = np.zeros((2, 2))
    for cme, le in pairs:
        table[int(cme), int(le)] += 1
    assert found["agreement"]["value"] == pytest.approx(np.trace(table) / len(pairs))
    if found["kappa"] is None:
        assert np.trace(table) == table.max() == len(pairs)
    else:
        assert found["kappa"]["value"] == pytest.approx(cohens_kappa(table).kappa)


def test_agreement_is_of_incidents_with_both_narratives_answered() -> None:
    """An incident with one narrative, or with an error in one, cannot agree with itself."""
    found = agreement(
        narratives(
            ("a", "cme", True, None, None),
            ("b", "cme", True, None, None),
            ("b", "le", None, None, None),
            ("c", "le", True, None, None),
            ("c", "cme", False, None, None),
        ),
        seed=1,
    )
    assert (found["n"], found["le_only"], found["agreement"]["value"]) == (1, 1, 0)


def test_agreement_without_a_pair_is_undefined() -> None:
    """Without an incident with both narratives there is no share and no kappa."""
    found = agreement(narratives(("a", "cme", True, None, None)), seed=1)
    assert (found["n"], found["agreement"], found["kappa"]) == (0, None, None)


def test_completeness_counts_narratives_that_are_there_whether_answered_or_not() -> None:
    """Incidents with both narratives, with one of the two, and all of them; an error is no missing
    narrative."""
    found = completeness(
        narratives(
            ("a", "cme", True, None, None),
            ("a", "le", None, None, None),
            ("b", "cme", True, None, None),
            ("c", "cme", None, None, None),
            ("d", "le", False, None, None),
        )
    )
    assert found == {"n": 4, "both": 1, "cme_only": 2, "le_only": 1}


PAIRS = [(True, False), (False, True), (True, True), (False, True)]


def test_two_types_of_any_name_agree_as_cme_and_le_do() -> None:
    """The numbers are the same, under the names of the types."""
    usual, other = (
        narratives(
            *((str(number), first, cme, None, None) for number, (cme, _) in enumerate(PAIRS)),
            *((str(number), second, le, None, None) for number, (_, le) in enumerate(PAIRS)),
        )
        for first, second in (("cme", "le"), ("examiner", "police"))
    )
    renamed = {"examiner_only": "cme_only", "police_only": "le_only"}
    found = agreement(other, seed=1, types=("examiner", "police"))
    assert {renamed.get(name, name): value for name, value in found.items()} == agreement(usual, seed=1)
    assert (found["examiner_only"], found["police_only"]) == (1, 2)
    assert completeness(other, ("examiner", "police")) == {"n": 4, "both": 4, "examiner_only": 0, "police_only": 0}


def test_completeness_of_any_number_of_types() -> None:
    """Of one type, or of three, it is told how many incidents have all of them, and how many have each."""
    table = narratives(
        ("a", "cme", True, None, None),
        ("a", "le", None, None, None),
        ("a", "lab", False, None, None),
        ("b", "cme", True, None, None),
        ("c", "lab", None, None, None),
    )
    by_type = {"cme": 2, "le": 1, "lab": 2}
    assert completeness(table, ("cme", "le", "lab")) == {"n": 3, "complete": 1, "by_type": by_type}
    assert completeness(table.head(1), ("cme",)) == {"n": 1, "complete": 1, "by_type": {"cme": 1}}
