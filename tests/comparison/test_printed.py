import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from narrative_runs.codebook.variables import Codebook
from narrative_runs.comparison.by_variable import by_variable
from narrative_runs.comparison.metrics_beside import metrics_beside
from narrative_runs.comparison.pairs import adjusted, changed, joined, joined_incidents, pair_tests
from narrative_runs.comparison.params_apart import params_apart
from narrative_runs.comparison.printed import PrintedComparison
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.metrics import measure
from narrative_runs.finished import Finished
from narrative_runs.paths import ExperimentFolder
from tests.coded_tables import CODEBOOK, Labels
from tests.comparison.coded_finished import coded_finished, two_cases
from tests.result_tables import labelled_by_incident, table_at_random, table_of


def finished(slug: str, results: pd.DataFrame, types: Sequence[str] = ("cme", "le"), **model: Any) -> Finished:
    """A finished experiment with these results."""
    params = {"experiment": {"slug": slug}, "model": {"name": "fake", **model}, "run": {"seed": 1}}
    begun = ExperimentState(f"id-{slug}", "md5", params, True, "2026-01-01 00:00:00")
    return Finished(ExperimentFolder(slug), begun, measure(results, begun.experiment_id, 1, types), results)


def shown(*experiments: Finished, types: Sequence[str] = ("cme", "le")) -> str:
    """All that is printed of a comparison of experiments with these narrative types, on 80 columns."""
    console = Console(width=80, highlight=False)
    screen = PrintedComparison(experiments, console)
    joins = [joined(experiments[0].results, other.results) for other in experiments[1:]]
    with console.capture() as capture:
        screen.show_experiments()
        screen.show_params(params_apart([one.state for one in experiments]))
        screen.show_metrics(metrics_beside([one.metrics for one in experiments]))
        for place, tests in enumerate(adjusted([pair_tests(pair, 1, types) for pair in joins]), start=1):
            screen.show_pair(place, tests, changed(joins[place - 1]))
    return capture.get()


def line_of(text: str, name: str) -> list[str]:
    """The words after `name` in the first line that begins with it."""
    line = next(line.strip() for line in text.splitlines() if line.strip().startswith(name))
    return line.removeprefix(name).split()


@pytest.mark.parametrize("count", [2, 4, 6])
@pytest.mark.slow
def test_all_of_it_can_be_read_on_80_columns(count: int) -> None:
    """With any number of experiments no line is longer and no interval is broken, each stands in a table of metrics."""
    experiments = [
        finished(f"a-rather-long-name-for-an-experiment-{seed}", table_at_random(60, seed)) for seed in range(count)
    ]
    text = shown(*experiments)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("[") == text.count("]") > 24 * count
    heads = [line.split()[2:] for line in text.splitlines() if line.startswith("all narratives ")]
    assert [letter for letters in heads for letter in letters] == list("ABCDEF")[:count]


@pytest.mark.slow
def test_counts_and_p_values_are_shown() -> None:
    """What changed, who is right and the p value of McNemar's test stand under all narratives, CME and LE."""
    first = table_of(*({"detected": True, "manual_flag_ind": 0} for _ in range(12)))
    other = table_of(*({"detected": number < 2, "manual_flag_ind": 0} for number in range(12)))
    text = shown(finished("one", first), finished("two", other))
    assert line_of(text, "only by A") == ["10", "10", "0"]
    assert line_of(text, "right only in B") == ["10", "10", "0"]
    assert line_of(text, "p (McNemar, exact)") == [".002", ".002", "-"]
    assert "Holm" not in text
    assert "Labels differ" not in text and "workbooks are not the same" not in text


@pytest.mark.slow
def test_any_number_of_narrative_types_can_be_read_on_80_columns() -> None:
    """With more types, or types of long names, no line is longer and no interval broken; one type has a column too."""
    types = ("examiner", "report_of_the_sheriffs_office_1", "toxicology", "le")
    text = shown(*(finished(name, table_at_random(80, 1, types), types) for name in ("one", "two")), types=types)
    assert max(map(len, text.splitlines())) <= 80
    assert all(line.count("[") == line.count("]") for line in text.splitlines())
    assert text.count("McNemar") == 2 and text.count("A and B") == 1
    assert text.count("  kappa") == 2 and text.count("toxicology") == 2
    one = shown(*(finished(name, table_at_random(9, 1, ("le",)), ("le",)) for name in ("one", "two")), types=("le",))
    assert len(line_of(one, "compared")) == 2


def test_more_than_two_experiments_have_adjusted_p_values() -> None:
    """Beside each p value stands the one that is adjusted for all that are shown."""
    first = table_of(*({"detected": True, "manual_flag_ind": 0} for _ in range(12)))
    other = table_of(*({"detected": number < 2, "manual_flag_ind": 0} for number in range(12)))
    text = shown(finished("one", first), finished("two", other), finished("three", first))
    assert line_of(text, "p (Holm)") == [".008", ".008", "-"]


def test_another_workbook_and_other_labels_are_said() -> None:
    """Where labels or sources differ, a sentence says so and what follows from it."""
    first = finished("one", table_of({"detected": True, "manual_flag_ind": 0}))
    other = finished("two", table_of({"detected": True, "manual_flag_ind": 1}))
    text = shown(first, dataclasses.replace(other, state=dataclasses.replace(other.state, source_md5="another")))
    assert "The workbooks are not the same" in text
    assert "Labels differ" in text
    assert line_of(text, "with another label") == ["1", "1", "0"]


def test_of_many_changes_the_first_are_shown_and_the_rest_counted() -> None:
    """A screen is not flooded: 20 narratives stand there, and how many more there are."""
    first = table_of(*({"detected": True, "incident_id": f"{number:02d}"} for number in range(25)))
    other = table_of(*({"detected": False, "incident_id": f"{number:02d}"} for number in range(25)))
    text = shown(finished("one", first), finished("two", other))
    assert line_of(text, "19 ") == ["cme", "true", "false", "-"]
    assert not [line for line in text.splitlines() if line.startswith("20 ")]
    assert "… and 5 more; --csv FOLDER writes all." in text


def test_long_texts_are_shown_where_they_differ() -> None:
    """A long value does not fill the table: it is referred to, and its first difference follows."""
    texts = {name: f"{'x' * 100} {name} {'y' * 100}" for name in ("one", "two")}
    text = shown(*(finished(name, table_of({}), extra=extra) for name, extra in texts.items()))
    assert line_of(text, "model.extra") == ["free", "see", "below", "see", "below"]
    assert "model.extra, A (-) and B (+):" in text
    assert [" one " in line for line in text.splitlines() if line.startswith(("- …", "+ …"))] == [True, False]


def test_ids_from_outside_do_not_steer_the_terminal() -> None:
    """An escape sequence or markup in an id is shown as text."""
    first, other = (table_of({"incident_id": "\x1b[31m[red]7", "detected": detected}) for detected in (True, False))
    text = shown(finished("one", first), finished("two", other))
    assert "\x1b" not in text
    assert "�[31m[red]7" in text


def shown_by_variable(*experiments: Finished, name: str = "") -> str:
    """All that is printed of these experiments by variable, on 80 columns."""
    console = Console(width=80, highlight=False)
    screen = PrintedComparison(experiments, console, not name)
    compared = by_variable(experiments, 1, name)
    with console.capture() as capture:
        screen.show_variables(compared.measures)
        for index, pair in compared.pairs.items():
            (tests,) = adjusted([pair.tests])
            screen.show_variable_pair(index, pair._replace(tests=tests))
            if name:
                screen.show_changes_of_variable(index, pair.changed[name])
            else:
                screen.show_numbers_of_changes(index, pair.changed)
    return capture.get()


def renamed(case: tuple[pd.DataFrame, Labels], name: str, new: str) -> tuple[pd.DataFrame, Labels, Codebook]:
    """The same with another name for one variable."""
    table, labels = case
    variables = {
        new if each == name else each: variable for each, variable in CODEBOOK.model_dump()["variables"].items()
    }
    columns = {name: new, f"{name}_missing": f"{new}_missing"}
    return (
        table.rename(columns=columns),
        {new if each == name else each: given for each, given in labels.items()},
        Codebook.model_validate({"variables": variables}),
    )


@pytest.mark.parametrize("count", [2, 4, 7])
@pytest.mark.slow
def test_variables_can_be_read_on_80_columns(count: int) -> None:
    """With any number of experiments, names of 40 letters and large numbers no line is longer, no interval broken."""
    first, other = two_cases(40, 1)
    for table, labels in (first, other):
        table["age"] *= 10_000.5
        labels["age"] = dataclasses.replace(labels["age"], narrative=labels["age"].narrative * 10_000.5)
    experiments = [
        coded_finished(f"a-rather-long-name-{number}", *renamed(other if number else first, "severity", "s" * 40))
        for number in range(count)
    ]
    text = shown_by_variable(*experiments)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.count("[") == line.count("]") for line in lines) and text.count("[") > 20 * count
    assert text.count("p (sign flips)") == text.count("p (Holm)") == 3 * (count - 1)


@pytest.mark.slow
def test_what_is_not_compared_is_said_and_how_many_changed() -> None:
    """One line has each variable that is not compared and why, another how many narratives changed of each."""
    first, other = two_cases(30, 1)
    experiments = coded_finished("one", *first), coded_finished("two", *renamed(other, "weapon", "means"))
    text = " ".join(shown_by_variable(*experiments).split())
    assert "Not compared: weapon (only in A), summary (a text in the model's own words), means (only in B)." in text
    pair = by_variable([coded_finished("one", *first), coded_finished("two", *other)], 1).pairs[1]
    assert f"Narratives that changed from A to B: detected {len(pair.changed['detected'])}, severity" in text
    assert "--variable NAME shows which." in text


@pytest.mark.slow
def test_one_variable_has_its_measures_its_test_and_what_changed() -> None:
    """The rows of the table are those of the test, and the narratives stand below with both values and the label."""
    first, other = two_cases(30, 1)
    experiments = [coded_finished("one", *first), coded_finished("two", *other)]
    text = shown_by_variable(*experiments, name="weapon")
    pair = by_variable(experiments, 1, "weapon").pairs[1]
    (test,) = pair.tests
    assert line_of(text, "A is closer") == [str(test.first_better)]
    assert line_of(text, "without a value") == [str(test.n_no_value)]
    assert line_of(text, "score") == ["right", "or", "wrong"]
    changed = pair.changed["weapon"].iloc[0]
    assert line_of(text, f"{changed['incident_id']} ")[:3] == [
        changed["narrative_type"],
        changed["value_first"],
        changed["value_other"],
    ]
    assert "Macro F1" in text and "age" not in text and "p (Holm)" not in text


@pytest.mark.slow
def test_a_test_of_incidents_stands_in_a_table_of_its_own() -> None:
    """What is compared of incidents stands under their name behind the narratives, with its p value."""
    first, other = (labelled_by_incident(table_at_random(40, 1)) for _ in range(2))
    other["detected"] = first["detected"].where(first.index < 30, ~first["detected"])
    of_incidents = joined_incidents(first, other)
    tests = pair_tests(joined(first, other), 1, incidents=of_incidents)
    console = Console(width=80, highlight=False)
    with console.capture() as capture:
        screen = PrintedComparison([finished("one", first), finished("two", other)], console)
        screen.show_pair(1, tests, changed(joined(first, other)))
    narratives, incidents = capture.get().split("\nincidents ")
    assert line_of(narratives, "p (McNemar, exact)") == ["-"] * 3
    assert line_of(incidents, "labelled") == [str(tests[-1].n_labelled)] and tests[-1].n_labelled > 20
    assert line_of(incidents, "p (McNemar, exact)") != ["-"]
    assert capture.get().count("A and B") == 1
