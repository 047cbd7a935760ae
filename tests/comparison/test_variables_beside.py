import pytest

from narrative_runs.comparison.variables_beside import measured_variables, variables_beside
from narrative_runs.findings.by_variable.main_measure import main_measure
from narrative_runs.report.measures import TITLES
from tests.coded_tables import CODEBOOK, case
from tests.comparison.coded_finished import coded_finished


@pytest.mark.slow
def test_each_measure_of_each_variable_stands_beside_those_of_the_others() -> None:
    """Counts and rates are those of metrics.json, the measure that stands for the type is the first rate, and what an
    experiment lacks is None there."""
    one, two = (coded_finished(slug, *case(40, seed)).metrics["variables"] for seed, slug in enumerate(("one", "two")))
    without_age = {name: measured for name, measured in two.items() if name != "age"}
    rows = variables_beside(CODEBOOK.names, [one, without_age])
    values = {(row.variable, row.level, row.measure): row.values for row in rows}
    assert len(values) == len(rows)
    for (name, level, measure), pair in values.items():
        expected = one[name][level].get(measure), None if name == "age" else two[name][level].get(measure)
        assert pair == expected and pair != (None, None)
    assert list(dict.fromkeys(row.variable for row in rows)) == [name for name in CODEBOOK.names if name != "summary"]
    assert ("evidence", "incident") not in {(row.variable, row.level) for row in rows}
    for name in one:
        rates = [
            row.measure for row in rows if (row.variable, row.level) == (name, "narrative") and row.measure in TITLES
        ]
        assert (rates[0] if rates else None) == main_measure(one[name]["type"])
    of_age = {measure for name, _, measure in values if name == "age"}
    assert of_age == {"n", "n_errors", "n_unclear", "within_tolerance", "mae", "icc"}


def test_without_a_codebook_detected_is_what_was_measured() -> None:
    """The usual question is a binary variable, whose measures are those of all narratives and of incidents."""
    table, labels = case(30, 1)
    metrics = coded_finished("one", table, labels, None).metrics
    rows = variables_beside(["detected"], [measured_variables(metrics)])
    values = {(row.level, row.measure): row.values for row in rows}
    assert values["narrative", "f1"] == (metrics["overall"]["f1"],)
    assert values["incident", "n"] == (metrics["incident"]["n"],)
    assert rows[2].measure == "f1"
