import json

import pandas as pd
import pytest

from narrative_runs.export.sample import Strata, sample
from narrative_runs.export.variable_strata import by_variable
from narrative_runs.findings.by_variable.outcomes import outcomes
from narrative_runs.findings.by_variable.units import units_of
from tests.coded_tables import CODEBOOK, case

OF_BINARY = ["true positive", "false positive", "false negative", "true negative", "unlabelled: yes", "unlabelled: no"]
OF_VALUES = ["right", "wrong", "unlabelled: low", "unlabelled: middle", "unlabelled: high", "unclear"]
NAMES = {
    "detected": OF_BINARY,
    "weapon": OF_VALUES,
    "severity": OF_VALUES,
    "persons": ["right", "wrong", "unlabelled", "unclear"],
    "age": ["right", "wrong", "unlabelled", "unclear"],
    "evidence": ["all in the text", "some not in the text"],
    "summary": ["answered"],
    "threat": OF_BINARY,
}


def drawn_by(name: str, seed: int = 2) -> tuple[pd.DataFrame, pd.Series, list[str], pd.Series]:
    """A table at random, the outcomes of a variable in it, and its strata, their names first."""
    table, labels = case(80, seed)
    units, _ = units_of(table, CODEBOOK, labels)
    outcome = outcomes(CODEBOOK.variables[name], units[name])
    names, of_rows = by_variable(name, CODEBOOK.variables[name], table, outcome)
    return table, outcome, list(names), of_rows


@pytest.mark.parametrize("name", NAMES)
def test_each_type_has_its_strata(name: str) -> None:
    """Rows with a label go by their outcome, others by what was answered, passages by whether they stand in the text;
    errors and what was not asked are in none, nor is an unclear yes or no."""
    table, outcome, names, of_rows = drawn_by(name)
    assert names == NAMES[name]
    for row, word, stratum in zip(table.to_dict("records"), outcome, of_rows, strict=True):
        value = row[name]
        expected: str | None
        if name == "evidence" and word == "no label":
            expected = "all in the text" if json.loads(row["evidence_not_in_text"]) == [] else "some not in the text"
        elif name == "summary" and word == "no label":
            expected = "answered"
        elif word == "no label" and name in ("persons", "age"):
            expected = "unlabelled"
        elif word == "no label":
            expected = f"unlabelled: {'yes' if value is True else 'no' if value is False else value}"
        else:
            expected = None if word not in names else word
        assert (None if pd.isna(stratum) else stratum) == expected
    assert of_rows.isna().any() and of_rows.notna().any()


def test_what_an_incident_lacks_is_a_stratum() -> None:
    """Answered narratives whose incident has no outcome by its label are drawn too, by the reason."""
    table, outcome, _, _ = drawn_by("weapon")
    outcome = outcome.mask(outcome == "no label", "incident: error").mask(outcome == "wrong", "incident: differing")
    names, of_rows = by_variable("weapon", CODEBOOK.variables["weapon"], table, outcome)
    assert list(names) == [*OF_VALUES[:-1], "incident: differing", "incident: error", "unclear"]
    assert (of_rows == outcome)[outcome.str.startswith("incident")].all()


@pytest.mark.parametrize("name", NAMES)
def test_weights_give_back_the_strata(name: str) -> None:
    """In a sample by one variable, the weights of each stratum add up to its size."""
    table, _, names, of_rows = drawn_by(name)
    drawn = sample(table, 20, 1, Strata(names, of_rows))
    weights = drawn.groupby("stratum")["sampling_weight"].sum()
    assert weights.to_dict() == pytest.approx(of_rows.value_counts().to_dict())
