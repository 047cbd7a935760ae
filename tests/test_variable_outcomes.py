import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import ExperimentError, FindingsError
from narrative_runs.findings.by_variable.labels import labels_to_measure, read_labels
from narrative_runs.findings.by_variable.measure import measure_variables
from narrative_runs.record import database
from narrative_runs.variable_outcomes import (
    codebook_of,
    outcome_typed,
    outcomes_in,
    outcomes_to_choose,
    read,
    recorded_incident_outcomes,
    recorded_outcomes,
    recorded_units,
    variable_in,
)
from tests.coded_experiment import CODEBOOK, FOLDER, LABELS, ROW, write_experiment
from tests.page_world import usual, write, write_workbook

OF_BINARY = ("true positive", "false positive", "false negative", "true negative")
OUTCOMES = {
    "detected": ["tp", "fp", "fn", "tn", "unlabelled", "unclear", "error"],
    "weapon": ["right", "wrong", "unlabelled", "unclear", "error"],
    "severity": ["right", "wrong", "unlabelled", "unclear", "not-asked", "error"],
    "persons": ["right", "wrong", "unlabelled", "unclear", "error"],
    "age": ["right", "wrong", "unlabelled", "unclear", "error"],
    "evidence": ["not-in-text", "error"],
    "summary": ["error"],
    "threat": ["tp", "fp", "fn", "tn", "unlabelled", "unclear", "not-asked", "error"],
}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The results of a finished experiment, in a project of its own."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").touch()
    return write_experiment()


def text(cell: Any) -> str | None:
    """A cell, or None for a blank one."""
    return None if pd.isna(cell) else str(cell)


def of_answer(row: Any, name: str) -> str | None:
    """Why a narrative has no value; None where it has one."""
    missing = text(row[f"{name}_missing"])
    return "error" if missing and missing.startswith("error") else missing


@pytest.mark.parametrize("name", LABELS)
def test_the_record_and_the_findings_say_the_same(results: pd.DataFrame, name: str) -> None:
    """From the record, as it fills, each narrative has the outcome and the label that it has by results.parquet."""
    recorded = recorded_outcomes(ROW, CODEBOOK, name)
    rows = database.query("SELECT result_id, row_num FROM narrative_results ORDER BY row_num")
    found = outcomes_in(FOLDER, CODEBOOK, name, results).set_index(results["row_num"]).sort_index()
    assert list(recorded.table.index) == [row["result_id"] for row in rows]
    by_row = recorded.table.set_index(pd.Index([row["row_num"] for row in rows], name="row_num"))
    pd.testing.assert_frame_equal(by_row[list(found)], found)
    assert found["outcome"].nunique() > 2 or name == "evidence"


@pytest.mark.slow
def test_a_label_of_the_incident_is_compared_with_its_value(results: pd.DataFrame) -> None:
    """Where one column labels incidents, all answered narratives of an incident have the outcome of the value that all
    of its answers give, or the reason why it has none; each keeps what it has not answered."""
    found = outcomes_in(FOLDER, CODEBOOK, "weapon", results)
    seen = set()
    for _, rows in results.groupby("incident_id"):
        own = [of_answer(row, "weapon") for _, row in rows.iterrows()]
        values = {row["weapon"] for (_, row), why in zip(rows.iterrows(), own, strict=True) if why is None}
        label = text(rows["Weapon"].iloc[0])
        if label is None:
            outcome = "no label"
        elif "error" in own:
            outcome = "incident: error"
        elif len(values) > 1:
            outcome = "incident: differing"
        else:
            outcome = "right" if values == {label} else "wrong"
        assert found.loc[rows.index, "outcome"].tolist() == [why or outcome for why in own]
        assert found.loc[rows.index, "label"].tolist() == [label] * len(rows)
        seen |= set(found.loc[rows.index, "outcome"])
    assert found["is_of_incident"].all()
    assert seen >= {"right", "wrong", "no label", "unclear", "error", "incident: differing"}


@pytest.mark.parametrize("name", ["detected", "threat"])
@pytest.mark.slow
def test_outcomes_add_up_to_the_confusion_matrix(results: pd.DataFrame, name: str) -> None:
    """The outcomes of a binary variable, an incident counted once where labels are the incident's, are the four cells
    of the metrics, what the model passed over counted as no."""
    labels = labels_to_measure(read_labels(FOLDER, CODEBOOK, results), FOLDER, CODEBOOK, results)
    measures = measure_variables(results, CODEBOOK, 1, labels)[name]
    rows = outcomes_in(FOLDER, CODEBOOK, name, results).assign(incident_id=results["incident_id"])
    is_of_incident = bool(rows["is_of_incident"].any())
    assert is_of_incident == (name == "threat")
    if is_of_incident:
        rows = rows[rows["outcome"].str.endswith(("positive", "negative"))].drop_duplicates(["incident_id"])
    matrix = measures["incident" if is_of_incident else "narrative"]
    counts = rows["outcome"].value_counts()
    assert [counts.get(words, 0) for words in OF_BINARY] == [matrix[cell] for cell in ("tp", "fp", "fn", "tn")]
    assert counts["false negative"] > 0 and (name == "detected" or matrix["n_not_asked_by_model"] > 0)


def test_a_label_of_the_narrative_is_compared_with_its_own_answer(results: pd.DataFrame) -> None:
    """Where narratives have labels of their own, the other narratives of the incident make no difference."""
    found = outcomes_in(FOLDER, CODEBOOK, "persons", results)
    assert not found["is_of_incident"].any()
    for (_, row), outcome, told in zip(results.iterrows(), found["outcome"], found["label"], strict=True):
        label = text(row["PersonsCME" if row["narrative_type"] == "cme" else "PersonsLE"])
        known = None if label is None else [part for part in label.split(";") if part != "[]"]
        assert told == (None if known is None else json.dumps(known))
        expected = of_answer(row, "persons")
        if expected is None:
            is_right = known is not None and set(json.loads(row["persons"])) == set(known)
            expected = "no label" if known is None else "right" if is_right else "wrong"
        assert outcome == expected


def test_an_incident_that_is_not_asked_whole_has_no_outcome(results: pd.DataFrame) -> None:
    """Where the limit left out a narrative of the incident, its label is compared with nothing yet."""
    whole = results["weapon"].notna() & results["Weapon"].notna()
    others = results[whole & results.duplicated("incident_id", keep=False)]
    others = others[others.duplicated("incident_id", keep=False)]
    asked = results.drop(index=others.index[0])
    found = outcomes_in(FOLDER, CODEBOOK, "weapon", asked)
    left = asked.index[asked["incident_id"] == others["incident_id"].iloc[0]]
    before = outcomes_in(FOLDER, CODEBOOK, "weapon", results)["outcome"]
    assert set(found.loc[left, "outcome"]) == {"incident: unasked"}
    rest = asked.index.difference(left)
    assert found.loc[rest, "outcome"].tolist() == before[rest].tolist()


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes_suit_the_type(name: str) -> None:
    """Each type has the outcomes that its narratives can have; another one is refused with a list of these."""
    variable = CODEBOOK.variables[name]
    assert list(outcomes_to_choose(variable)) == OUTCOMES[name]
    for typed in {each for listed in OUTCOMES.values() for each in listed} - set(OUTCOMES[name]):
        with pytest.raises(FindingsError, match=f"--outcome {typed}.* type {variable.type}.* {OUTCOMES[name][-1]}\\.$"):
            outcome_typed(name, variable, typed)


def test_without_an_unclear_answer_there_is_no_such_outcome() -> None:
    """Where the model must decide, and in the usual question, `unclear` is no outcome."""
    assert list(outcomes_to_choose(DEFAULT.variables["detected"])) == ["tp", "fp", "fn", "tn", "unlabelled", "error"]


def test_an_unknown_variable_is_told() -> None:
    """The message lists the variables there are: without a codebook `detected` alone."""
    with pytest.raises(FindingsError, match=r"--variable gun: .* There are: detected, weapon, severity, .*, threat\.$"):
        variable_in(CODEBOOK, "gun")
    with pytest.raises(FindingsError, match=r"There are: detected\.$"):
        variable_in(DEFAULT, "rationale")
    assert variable_in(DEFAULT, "detected").type == "binary"


def test_what_is_shown_of_a_narrative(results: pd.DataFrame) -> None:
    """A label and an outcome of the incident say so; passages are neither right nor wrong; a label that does not count
    is told."""
    weapon = recorded_outcomes(ROW, CODEBOOK, "weapon")
    shown = weapon.of(weapon.ids_with("wrong")[0])
    assert shown is not None and shown.outcome == "wrong (of the incident)"
    assert shown.label is not None and shown.label.endswith(" (of the incident)")
    unclear = weapon.of(weapon.ids_with("unclear")[0])
    assert unclear is not None and unclear.outcome == "unclear"
    evidence = recorded_outcomes(ROW, CODEBOOK, "evidence")
    odd = evidence.ids_with("not in the text")
    is_odd = results["evidence_not_in_text"].notna() & (results["evidence_not_in_text"] != "[]")
    assert len(odd) == is_odd.sum() > 0
    assert {shown.outcome for shown in map(evidence.of, evidence.table.index) if shown} == {
        *("not in the text", "", "error")
    }
    severity = recorded_outcomes(ROW, CODEBOOK, "severity")
    words = {shown.outcome for shown in map(severity.of, severity.table.index) if shown}
    assert words >= {"no label that counts", "right", "wrong", "not asked"}
    assert weapon.of(10_000) is None


def test_before_the_first_answer_nothing_has_an_outcome(results: pd.DataFrame) -> None:
    """A record without values of the experiment gives no narrative."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM coded_values")
    assert recorded_outcomes(ROW, CODEBOOK, "weapon").ids_with("right") == []
    assert recorded_outcomes(ROW, CODEBOOK, "evidence").ids_with("not in the text") == []


def test_what_is_not_here_is_told(results: pd.DataFrame) -> None:
    """Without what was read of the workbook, or without the folder, the message says what to bring back."""
    assert codebook_of(ROW) == CODEBOOK and codebook_of({"experiment_id": "r", "slug": None}) == DEFAULT
    FOLDER.other_columns.unlink()
    with pytest.raises(ExperimentError, match=r"is missing\. Start the run of coded again"):
        read(ROW, "weapon")
    FOLDER.description.unlink()
    with pytest.raises(ExperimentError, match=r"results/coded/ is not here\. Restore it"):
        read(ROW, "weapon")


def test_the_usual_question_has_the_page_it_had(results: pd.DataFrame) -> None:
    """Where the record has a column for each variable, nothing is shown alone."""
    assert read({"experiment_id": "r", "slug": None}, "detected") is None
    assert isinstance(codebook_of(ROW), Codebook)


@pytest.mark.parametrize("name", ["detected", "weapon", "severity", "threat"])
@pytest.mark.slow
def test_cells_of_the_matrices_are_made_of_narratives_and_incidents(results: pd.DataFrame, name: str) -> None:
    """Counted by label and value, narratives and incidents give the confusion matrices of the findings."""
    labels = labels_to_measure(read_labels(FOLDER, CODEBOOK, results), FOLDER, CODEBOOK, results)
    measured = measure_variables(results, CODEBOOK, 1, labels)[name]
    of_narratives, of_incidents = recorded_units(ROW, CODEBOOK, name)
    ids = results.sort_values("row_num")["incident_id"].to_numpy()
    of_incidents = of_incidents.assign(incident=ids).drop_duplicates("incident")
    for level, table in (("narrative", of_narratives), ("incident", of_incidents)):
        if measured[level] is None:
            continue
        if "confusion" in measured[level]:
            values = measured[level]["confusion"]["values"]
            counts = [[((table.label == label) & (table.value == value)).sum() for value in values] for label in values]
            assert counts == measured[level]["confusion"]["counts"]
        else:
            cells = {"tp": OF_BINARY[0], "fp": OF_BINARY[1], "fn": OF_BINARY[2], "tn": OF_BINARY[3]}
            assert {cell: int((table.outcome == word).sum()) for cell, word in cells.items()} == {
                cell: measured[level][cell] for cell in cells
            }


def test_incidents_of_the_usual_question_have_an_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each narrative has its incident's outcome; counted by incident they are the matrix of metrics.json."""
    monkeypatch.chdir(tmp_path)
    write_workbook(1)
    write("usual", usual(0.2, 0.1))
    (row,) = database.query("SELECT * FROM experiments")
    outcomes = recorded_incident_outcomes(row)
    keys = database.query("SELECT result_id, incident_id FROM narrative_results")
    by_incident = {each["incident_id"]: outcomes[each["result_id"]] for each in keys}
    measured = json.loads(Path("results/usual/metrics.json").read_text())["incident"]
    cells = zip(("tp", "fp", "fn", "tn"), OF_BINARY, strict=True)
    assert {cell: list(by_incident.values()).count(word) for cell, word in cells} == {
        cell: measured[cell] for cell in ("tp", "fp", "fn", "tn")
    }
    Path("results/usual/narratives/incidents.parquet").unlink()
    with pytest.raises(ExperimentError, match="is missing"):
        recorded_incident_outcomes(row)
