import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from narrative_runs.comparison.pairs import adjusted, changed, joined, joined_incidents, pair_tests
from narrative_runs.findings.mcnemar import mcnemar
from narrative_runs.findings.significance import holm
from tests.result_tables import labelled_by_incident, table_at_random, table_of

answers = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([0, 1, None])), min_size=1, max_size=40)


def narrative(number: int, **values: Any) -> dict[str, Any]:
    """What matters of one narrative; even numbers are CME, odd ones LE, of one incident."""
    key = {"incident_id": f"{number // 2:03d}", "narrative_type": "le" if number % 2 else "cme"}
    return {**key, "narrative_text": f"Text {number}.", **values}


def two_tables(rows: list[tuple[bool, bool, int | None]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two experiments on the same narratives, from (detected in the first, in the other, label)."""
    first = [narrative(number, detected=row[0], manual_flag_ind=row[2]) for number, row in enumerate(rows)]
    other = [narrative(number, detected=row[1], manual_flag_ind=row[2]) for number, row in enumerate(rows)]
    return table_of(*first), table_of(*other)


@settings(deadline=None, max_examples=30)
@given(answers)
@pytest.mark.slow
def test_counts_and_tests_agree_with_other_libraries(rows: list[tuple[bool, bool, int | None]]) -> None:
    """McNemar's p is that of the gains by incident, and kappa that of scikit-learn, on the same answers."""
    (test, *_) = pair_tests(joined(*two_tables(rows)), seed=1)
    first, other = [row[0] for row in rows], [row[1] for row in rows]
    assert test.n_compared == len(rows)
    assert test.only_other_detected == sum(b and not a for a, b in zip(first, other, strict=True))
    agreeing = test.both_detected == len(rows) or test.neither_detected == len(rows)
    if test.kappa is None:
        assert agreeing
    else:
        assert test.kappa["value"] == pytest.approx(cohen_kappa_score(first, other))
        assert test.kappa["low"] <= test.kappa["value"] <= test.kappa["high"]
    table = [[test.both_right, test.only_first_right], [test.only_other_right, test.both_wrong]]
    labelled = [(a == (label == 1), b == (label == 1)) for a, b, label in rows if label is not None]
    assert table == [[labelled.count((a, b)) for b in (True, False)] for a in (True, False)]
    gains = {narrative(number)["incident_id"]: 0 for number in range(len(rows))}
    for number, (a, b, label) in enumerate(rows):
        if label is not None:
            gains[narrative(number)["incident_id"]] += (a == (label == 1)) - (b == (label == 1))
    expected = mcnemar(np.array(list(gains.values()), dtype=np.int64)) if labelled else None
    assert test.p_value == (None if expected is None else pytest.approx(expected))


@settings(deadline=None, max_examples=30)
@given(answers, st.randoms(use_true_random=False))
@pytest.mark.slow
def test_the_order_of_rows_does_not_matter(rows: list[tuple[bool, bool, int | None]], random: Any) -> None:
    """Shuffled tables give the same tests, the bootstrap included, and the same changes."""
    first, other = two_tables(rows)
    places = list(range(len(rows)))
    random.shuffle(places)
    pair, shuffled = joined(first, other), joined(first, other.iloc[places])
    assert pair_tests(shuffled, seed=1) == pair_tests(pair, seed=1)
    pd.testing.assert_frame_equal(changed(shuffled), changed(pair))


def test_only_the_same_text_answered_by_both_is_compared() -> None:
    """A narrative that is missing in one, has another text, or is an error counts in no test, and is counted aside."""
    first = table_of(
        narrative(0, detected=True, manual_flag_ind=1),
        narrative(1, detected=True, manual_flag_ind=1),
        narrative(2, detected=None, manual_flag_ind=1),
        narrative(3, detected=True, manual_flag_ind=1),
    )
    other = table_of(
        narrative(0, detected=False, manual_flag_ind=1),
        narrative(1, detected=False, manual_flag_ind=1, narrative_text="Text 1, mended."),
        narrative(2, detected=False, manual_flag_ind=1),
        narrative(4, detected=False, manual_flag_ind=1),
        narrative(5, detected=False, manual_flag_ind=1),
    )
    test, cme, le = pair_tests(joined(first, other), seed=1)
    assert (test.n_only_first, test.n_only_other, test.n_other_text, test.n_error, test.n_compared) == (1, 2, 1, 1, 1)
    assert (test.only_first_right, test.n_labelled, test.p_value) == (1, 1, 1.0)
    assert (cme.n_compared, le.n_compared) == (1, 0)
    assert (le.kappa, le.p_value) == (None, None)


def test_a_label_that_changed_decides_nothing() -> None:
    """Who is right cannot be said where the label is another, or is there in one alone; the detections do count."""
    first = table_of(
        *(narrative(number, detected=True, manual_flag_ind=label) for number, label in enumerate([1, 1, 1]))
    )
    other = table_of(
        *(narrative(number, detected=False, manual_flag_ind=label) for number, label in enumerate([0, None, 1]))
    )
    (test, *_) = pair_tests(joined(first, other), seed=1)
    assert (test.n_other_label, test.n_labelled, test.only_first_right) == (2, 1, 1)
    assert test.only_first_detected == 3


def test_changed_narratives_are_told_without_their_text() -> None:
    """Each narrative that is now seen otherwise is a row with both detections and labels, and nothing else of it."""
    pair = joined(*two_tables([(True, True, 1), (True, False, 0), (False, True, None)]))
    rows = changed(pair).astype(object).where(lambda table: table.notna(), None).to_dict("records")
    assert rows == [
        {
            "incident_id": "000",
            "narrative_type": "le",
            "detected_first": True,
            "detected_other": False,
            "label_first": 0,
            "label_other": 0,
        },
        {
            "incident_id": "001",
            "narrative_type": "cme",
            "detected_first": False,
            "detected_other": True,
            "label_first": None,
            "label_other": None,
        },
    ]


def test_all_tests_that_are_shown_are_adjusted_together() -> None:
    """The p values are adjusted for the number of all tests, over pairs and scopes, since a reader sees them all."""
    better = pair_tests(joined(*two_tables([(True, False, 0)] * 12)), seed=1)
    same = pair_tests(joined(*two_tables([(True, True, 0)] * 12)), seed=1)
    values = [test.p_value for test in (*better, *same)]
    assert sum(value is not None for value in values) > len(better) > 1
    for of_pairs in ([better], [better, same]):
        found = [test.p_holm for of_pair in adjusted(of_pairs) for test in of_pair]
        assert found == pytest.approx(holm([test.p_value for of_pair in of_pairs for test in of_pair]))
    lowest = min(value for value in values if value is not None)
    with_another, _ = adjusted([better, same])
    assert min(test.p_holm or 1 for test in with_another) == pytest.approx(lowest * sum(v is not None for v in values))


def test_pairs_with_other_types_are_adjusted_where_they_have_a_test() -> None:
    """Each type has its test in the pairs that share it, and what was not tested adds nothing."""
    first = table_of(*({"narrative_type": "lab", "detected": True, "manual_flag_ind": 0} for _ in range(12)))
    other = first.assign(detected=pd.array([False] * 12, dtype="boolean"))
    tests = [pair_tests(joined(first, other), 1, types) for types in (["lab"], [], ["lab", "le"])]
    found = [{test.scope: test for test in of_pair} for of_pair in adjusted(tests)]
    assert [list(of_pair) for of_pair in found] == [["overall", "lab"], ["overall"], ["overall", "lab", "le"]]
    p_value = tests[0][0].p_value
    assert p_value is not None
    assert found[1]["overall"].p_holm == pytest.approx(5 * p_value)
    assert found[0]["lab"].p_holm == pytest.approx(5 * p_value)
    assert found[2]["le"].p_holm is None


@pytest.mark.slow
def test_large_experiments_are_compared_while_one_looks_on() -> None:
    """Two experiments of 35,000 narratives take less than 5 seconds of computing."""
    first = table_of(*(narrative(number, detected=number % 5 == 0, manual_flag_ind=1) for number in range(35_000)))
    other = first.assign(detected=first["row_num"] % 7 == 0)
    began = time.process_time()
    pair = joined(first, other)
    (test, *_), changes = pair_tests(pair, seed=1), changed(pair)
    assert time.process_time() - began < 5
    assert test.n_labelled == 35_000 and len(changes) == test.only_first_detected + test.only_other_detected


def test_incidents_are_tested_where_they_alone_have_labels() -> None:
    """Where no narrative has a label, the p value is that of SciPy's binomial test on the incidents that one experiment
    alone has right, of those that both answered whole with the same texts; each incident is counted once."""
    first = labelled_by_incident(table_at_random(90, 1))
    random = np.random.default_rng(2)
    is_other = random.random(len(first)) < 0.35
    other = first.assign(detected=first["detected"].where(~is_other, ~first["detected"]))
    other.loc[other.index[[3, 4]], "narrative_text"] = "Another text."
    other = other[other["incident_id"] != "0007"]
    unasked = ({"0008"}, {"0009"})
    incidents = joined_incidents(first, other, unasked)
    *_, test = pair_tests(joined(first, other), 1, incidents=incidents)
    right = []
    for table in (first, other):
        of_incidents = table.groupby("incident_id")
        is_whole = ~of_incidents["error_occurred"].any() & of_incidents["manual_flag"].max().notna()
        right.append((of_incidents["detected"].any() == of_incidents["manual_flag"].max().eq(1))[is_whole])
    with_another_text = first.loc[[3, 4], "incident_id"]
    both = right[0].index.intersection(right[1].index).difference([*with_another_text, "0008", "0009"])
    one, another = (each[both].astype(bool) for each in right)
    n_first, n_other = int((one & ~another).sum()), int((another & ~one).sum())
    assert (test.scope, test.n_labelled, test.n_only_first) == ("incident", len(both), 1)
    assert (test.both_right, test.only_first_right, test.only_other_right) == (
        int((one & another).sum()),
        n_first,
        n_other,
    )
    assert test.p_value == pytest.approx(binomtest(n_first, n_first + n_other).pvalue) and n_first + n_other > 9
    assert test.n_other_text == with_another_text.nunique()
    n_all = test.n_only_first + test.n_only_other + test.n_other_text + test.n_error + test.n_compared
    assert n_all == first["incident_id"].nunique()


def test_incidents_are_not_tested_where_narratives_have_labels() -> None:
    """Where narratives of either experiment have labels, or nothing has one, there is no test of incidents."""
    table = table_at_random(20, 1)
    alone = labelled_by_incident(table)
    assert joined_incidents(alone, alone) is not None
    nothing = alone.assign(manual_flag=pd.array([pd.NA] * len(alone), "Int64"))
    assert joined_incidents(table, alone) is joined_incidents(alone, table) is joined_incidents(nothing, alone) is None
