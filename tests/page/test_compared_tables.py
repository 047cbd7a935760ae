from dataclasses import replace

import pytest
from tests.comparison.coded_finished import coded_finished, two_cases
from tests.result_tables import labelled_by_incident, table_at_random

from narrative_runs.comparison.compared import Compared, compared, variables_compared
from narrative_runs.findings.rounding import p_value
from narrative_runs.page.history import compared_tables as program
from narrative_runs.page.history.compared_tables import compared_tables
from narrative_runs.page.tables import Table


@pytest.fixture(scope="module")
def found() -> Compared:
    """Two experiments with codebooks, over mostly the same narratives."""
    (first, first_labels), (other, other_labels) = two_cases(60, 4)
    experiments = [coded_finished("one", first, first_labels), coded_finished("two", other, other_labels)]
    return compared(experiments, variables_compared(experiments))


def words(table: Table) -> dict[str, list[str]]:
    return {row[0].words: [cell.words for cell in row[1:]] for row in table.rows}


def test_tests_are_those_of_compare(found: Compared) -> None:
    """Each count and p value of a pair is that of `narrative-runs compare`, under the letters of the page."""
    (section,) = compared_tables(found, ["A", "D"]).pairs
    assert section.title == "A and D"
    overall, *_ = found.tests[0]
    table = words(section.tables[0])
    assert table["compared"][0] == str(overall.n_compared)
    assert table["– right only in D"][0] == str(overall.only_other_right)
    assert overall.p_value is not None and overall.p_holm is not None
    assert table["p (McNemar, exact)"][0] == p_value(overall.p_value)
    assert table["p (Holm)"][0] == p_value(overall.p_holm)
    (by_variable,) = section.parts
    (weapon,) = [test for test in found.variables.pairs[1].tests if test.variable == "weapon"]
    heads, of_variables = by_variable.tables[0].columns, words(by_variable.tables[0])
    assert of_variables["– A is closer"][list(heads).index("weapon") - 1] == str(weapon.first_better)
    assert by_variable.sentences == ["Not compared: summary (a text in the model's own words)."]


def test_changes_lead_to_both_answers(found: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each narrative that changed is listed with the way to its answer in both experiments; of very many the first,
    with the command that writes all; a snapshot's answers lead nowhere."""
    (section,) = compared_tables(found, ["A", "B"]).pairs
    changed = section.tables[1]
    assert len(changed.rows) == len(found.changes[0]) > 3
    incident, kind, first, other, _ = changed.rows[0]
    assert first.address == f"/experiments/one/narratives/{incident.words}/{kind.words}"
    assert other.address == f"/experiments/two/narratives/{incident.words}/{kind.words}"
    monkeypatch.setattr(program, "MOST_CHANGES", 3)
    snapshot = replace(found, experiments=[found.experiments[0], replace(found.experiments[1], snapshot="pilot")])
    (section,) = compared_tables(snapshot, ["A", "B"]).pairs
    changed = section.tables[1]
    assert len(changed.rows) == 3 and "narrative-runs compare one two@pilot --csv FOLDER" in changed.caption
    assert [bool(cell.address) for cell in changed.rows[0]] == [False, False, True, False, False]


def test_incidents_that_alone_have_labels_have_a_table_of_their_own() -> None:
    """Where no narrative has a label, the test of incidents stands behind that of narratives."""
    first = labelled_by_incident(table_at_random(40, 1))
    other = first.assign(detected=first["detected"].where(first.index < 30, ~first["detected"]))
    experiments = [coded_finished(slug, table, {}, None) for slug, table in (("one", first), ("two", other))]
    both = compared(experiments, variables_compared(experiments))
    (section,) = compared_tables(both, ["A", "B"]).pairs
    narratives, incidents = section.tables[:2]
    assert [table.caption for table in (narratives, incidents)] == [
        "The same narratives in both",
        "The same incidents in both",
    ]
    test = both.tests[0][-1]
    assert words(incidents)["labelled"] == [str(test.n_labelled)] and test.n_labelled > 20
    assert test.p_value is not None and words(incidents)["p (McNemar, exact)"] == [p_value(test.p_value)]
    assert words(narratives)["labelled"] == ["0"] * 3
