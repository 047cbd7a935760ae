import json
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from narrative_runs.codebook.variables import Codebook
from narrative_runs.comparison.codebooks import A_TEXT, why_not_compared
from narrative_runs.comparison.coded_experiment import CodedExperiment, coded_experiment
from narrative_runs.comparison.variable_pairs import VariablePair, variable_pair
from narrative_runs.findings.sign_flips import sign_flips
from tests.coded_tables import CODEBOOK, VALUES, Labels
from tests.comparison.coded_finished import coded_finished, labels_of_incidents_alone, two_cases

COMPARED = [name for name in CODEBOOK.names if name != "summary"]


def compared(
    first: tuple[pd.DataFrame, Labels], other: tuple[pd.DataFrame, Labels], codebook: Codebook = CODEBOOK
) -> VariablePair:
    """The pair of two experiments with these results and labels; codebook: that of the other."""
    experiments = coded_finished("one", *first), coded_finished("two", *other, codebook)
    coded: list[CodedExperiment | None] = [coded_experiment(each, CODEBOOK) for each in experiments]
    return variable_pair(coded[0], coded[1], why_not_compared(CODEBOOK, codebook), 1)


class Known(NamedTuple):
    """What a row says of a variable: its value, why there is none, and its label where it counts."""

    value: Any
    missing: str | None
    label: Any


def is_error(known: Known) -> bool:
    """Whether a variable could not be read."""
    return (known.missing or "").startswith("error")


def rows_of(table: pd.DataFrame, labels: Labels, name: str) -> dict[tuple[str, str], tuple[str, Known]]:
    """By key the text of each narrative, and what it says of a variable, read without the software."""
    rows = {}
    of_rows = zip(table.to_dict("records"), labels[name].narrative, labels["detected"].narrative, strict=True)
    for row, label, condition in of_rows:
        if CODEBOOK.variables[name].only_if and (pd.isna(condition) or not condition):
            label = None
        missing = None if pd.isna(row[f"{name}_missing"]) else row[f"{name}_missing"]
        value = None if missing or pd.isna(row[name]) else row[name]
        if name == "persons" and value is not None:
            value = tuple(json.loads(value))
        is_blank = not isinstance(label, tuple) and pd.isna(label)
        known = Known(value, missing, None if is_blank else label)
        rows[row["incident_id"], row["narrative_type"]] = (row["narrative_text"], known)
    return rows


def score(name: str, value: Any, label: Any) -> float:
    """The score of a value by its label, by hand."""
    match name:
        case "severity":
            return -abs(VALUES.index(value) - VALUES.index(label))
        case "persons":
            return len({*value} & {*label}) / len({*value} | {*label}) if value or label else 1.0
        case "age":
            return -abs(float(value) - float(label))
        case "evidence":
            words, of_label = json.loads(value)[0].split(), label.split()
            return 2 * len({*words} & {*of_label}) / (len(words) + len(of_label))
        case _:
            return float(bool(value) == bool(label) if name in ("detected", "threat") else value == label)


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.slow
def test_counts_scores_and_tests_are_those_by_hand(name: str) -> None:
    """Of each type the counts, the share with the same value, the mean difference and the p value are those of a loop
    over the rows of both tables."""
    first, other = two_cases(200, 3)
    rows, other_rows = rows_of(*first, name), rows_of(*other, name)
    same = [key for key in rows if key in other_rows and rows[key][0] == other_rows[key][0]]
    pairs = {key: (rows[key][1], other_rows[key][1]) for key in same}
    both = {key: pair for key, pair in pairs.items() if not pair[0].missing and not pair[1].missing}
    labelled = {key: pair for key, pair in both.items() if pair[0].label is not None and pair[0].label == pair[1].label}
    gains = {
        key: score(name, one.value, one.label) - score(name, two.value, one.label)
        for key, (one, two) in labelled.items()
    }
    by_incident: dict[str, float] = {}
    for (incident, _), gain in gains.items():
        by_incident[incident] = by_incident.get(incident, 0.0) + gain

    test = next(test for test in compared(first, other).tests if test.variable == name)
    assert (test.level, test.n_only_first, test.n_only_other) == (
        "narrative",
        len({*rows} - {*other_rows}),
        len({*other_rows} - {*rows}),
    )
    assert test.n_other_text == len({*rows} & {*other_rows}) - len(same)
    assert test.n_error == sum(any(map(is_error, pair)) for pair in pairs.values())
    assert test.n_no_value == len(pairs) - len(both) - test.n_error
    assert (test.n_compared, test.n_labelled) == (len(both), len(labelled))
    assert test.n_other_label == sum(one.label != two.label for one, two in both.values())
    assert test.same is not None and test.difference is not None
    assert test.same["value"] == pytest.approx(np.mean([one.value == two.value for one, two in both.values()]))
    assert test.difference["value"] == pytest.approx(np.mean(list(gains.values())))
    assert test.difference["low"] < test.difference["value"] < test.difference["high"]
    counts = [sum(gain > 1e-9 for gain in gains.values()), sum(gain < -1e-9 for gain in gains.values())]
    assert [test.first_better, test.other_better, test.as_good] == [*counts, len(gains) - sum(counts)]
    assert test.p_value == pytest.approx(sign_flips(np.array(list(by_incident.values())), 1))
    assert min(test.n_only_first, test.n_other_text, test.n_error, test.n_other_label, max(counts)) > 0


@pytest.mark.slow
def test_who_is_first_and_in_which_order_does_not_matter() -> None:
    """With sides changed all counts change sides, and p values are the same; shuffled rows give the very same tests."""
    first, other = two_cases(40, 5)
    pair, turned = compared(first, other), compared(other, first)
    for one, another in zip(pair.tests, turned.tests, strict=True):
        assert (one.first_better, one.n_only_first, one.n_labelled) == (
            another.other_better,
            another.n_only_other,
            another.n_labelled,
        )
        assert one.p_value == another.p_value and one.same == another.same
        assert one.difference is not None and another.difference is not None
        assert one.difference["value"] == pytest.approx(-another.difference["value"])
    shuffled = other[0].sample(frac=1, random_state=1)
    labels = {name: type(each)(each.narrative.loc[shuffled.index]) for name, each in other[1].items()}
    again = compared(first, (shuffled, labels))
    assert [asdict(test) for test in again.tests] == [asdict(test) for test in pair.tests]
    for name in COMPARED:
        pd.testing.assert_frame_equal(again.changed[name], pair.changed[name])


@pytest.mark.slow
def test_the_order_of_values_does_not_matter() -> None:
    """A category or several values that the other codebook lists in another order are the same values."""
    book = CODEBOOK.model_dump()
    for name in ("weapon", "persons"):
        book["variables"][name]["values"] = VALUES[::-1]
    first, other = two_cases(40, 5)
    pair, turned = compared(first, other), compared(first, other, Codebook.model_validate(book))
    assert [asdict(test) for test in turned.tests] == [asdict(test) for test in pair.tests]
    pd.testing.assert_frame_equal(turned.changed["persons"], pair.changed["persons"])
    book["variables"]["severity"]["values"] = VALUES[::-1]
    turned = compared(first, other, Codebook.model_validate(book))
    assert turned.not_compared == {"severity": "with other values in {other}", "summary": A_TEXT}


@pytest.mark.slow
def test_labels_of_incidents_alone_are_compared_over_incidents() -> None:
    """Where labels are the incident's, its value counts: yes where any narrative says so, the highest number; and only
    incidents with the same narratives in both."""
    first, other = two_cases(60, 7)
    of_incidents = [(table, labels_of_incidents_alone(labels, table)) for table, labels in (first, other)]
    pair = compared(of_incidents[0], of_incidents[1])
    tests = {test.variable: test for test in pair.tests}
    assert {name for name, test in tests.items() if test.level == "incident"} == {*COMPARED} - {"evidence"}
    for name, reduce in (("detected", any), ("age", max)):
        sides = []
        for table, labels in (first, other):
            rows, incidents = rows_of(table, labels, name), {}
            for incident in dict.fromkeys(incident for incident, _ in rows):
                known = {key[1]: row for key, row in rows.items() if key[0] == incident}
                texts = {kind: text for kind, (text, _) in known.items()}
                label = next((row.label for _, row in known.values() if row.label is not None), None)
                missing = [row.missing for _, row in known.values() if row.missing]
                values = [row.value for _, row in known.values() if not row.missing]
                failed = any(reason.startswith("error") for reason in missing)
                incidents[incident] = (texts, label, failed, reduce(values) if values else None)
            sides.append(incidents)
        expected = [0, 0]
        for incident in sides[0].keys() & sides[1].keys():
            (texts, label, failed, value), (other_texts, other_label, other_failed, other_value) = (
                side[incident] for side in sides
            )
            if texts != other_texts or failed or other_failed or value is None or other_value is None:
                continue
            expected[0] += 1
            expected[1] += label is not None and label == other_label
        assert [tests[name].n_compared, tests[name].n_labelled] == expected
        assert tests[name].n_only_first == len(sides[0].keys() - sides[1].keys())
        assert tests[name].n_other_text > 0 and tests[name].p_value is not None
    label = pair.changed["age"]["label_first"]
    assert label.notna().sum() > 0 and label.dropna().str.fullmatch(r"\d+").all()


@pytest.mark.slow
def test_changed_narratives_are_listed_without_their_text() -> None:
    """Each narrative whose value is another is listed in words, unclear and not asked among them, without errors; of
    passages their number stands there, since they are pieces of narratives."""
    first, other = two_cases(70, 3)
    changed = compared(first, other).changed
    for name in ("weapon", "age", "severity"):
        rows, other_rows = rows_of(*first, name), rows_of(*other, name)
        expected = []
        for key in sorted(rows.keys() & other_rows.keys()):
            (text, one), (other_text, two) = rows[key], other_rows[key]
            words = [each.missing or (f"{each.value:.0f}" if name == "age" else each.value) for each in (one, two)]
            if text == other_text and not is_error(one) and not is_error(two) and words[0] != words[1]:
                expected.append([*key, *words])
        columns = ["incident_id", "narrative_type", "value_first", "value_other"]
        assert changed[name][columns].to_numpy(object).tolist() == expected
    assert {"unclear", "not asked"} <= {*changed["severity"]["value_first"]}
    assert {*changed["evidence"]["value_first"], *changed["evidence"]["label_other"].dropna()} == {"1 passage"}
    assert {*changed["detected"]["value_first"]} == {"yes", "no"}
    assert changed["persons"]["value_other"].str.match(r"\[|unclear").all()


@pytest.mark.slow
def test_without_labels_there_is_agreement_alone() -> None:
    """How often two experiments have the same value needs no label; nothing is tested."""
    (first, _), (other, _) = two_cases(30, 1)
    tests = compared((first, {}), (other, {})).tests
    assert [test.variable for test in tests] == COMPARED
    for test in tests:
        assert test.same is not None and test.n_compared > 0
        assert (test.level, test.n_labelled, test.difference, test.p_value) == ("narrative", 0, None, None)


@pytest.mark.slow
def test_an_experiment_against_itself_differs_in_nothing() -> None:
    """All values are the same, no narrative changed, p is 1, and the interval of the difference has a width."""
    case, _ = two_cases(30, 1)
    pair = compared(case, case)
    for test in pair.tests:
        assert test.same is not None and test.same["value"] == 1 and test.p_value == 1
        assert test.difference is not None and test.difference["value"] == 0 < test.difference["high"]
        assert test.difference["low"] == -test.difference["high"]
    assert all(changes.empty for changes in pair.changed.values())
    assert pair.not_compared == {"summary": A_TEXT}


@pytest.mark.slow
def test_an_experiment_without_a_codebook_has_the_variable_detected() -> None:
    """Its detections are compared with the variable of that name by its own labels, and errors stay errors."""
    (table, labels), _ = two_cases(40, 2)
    usual = coded_finished("two", table, {}, None)
    first, other = (coded_experiment(each, CODEBOOK) for each in (coded_finished("one", table, labels), usual))
    reasons = why_not_compared(CODEBOOK, usual.codebook)
    pair = variable_pair(first, other, {"detected": reasons["detected"]}, 1)
    (test,) = pair.tests
    assert test.n_error == table["detected"].isna().sum() > 0
    assert test.n_labelled == (table["detected"].notna() & table["manual_flag_ind"].notna()).sum() > 0
    assert test.as_good == test.n_labelled and test.n_other_label == 0
