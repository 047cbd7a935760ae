import stat
from pathlib import Path

import pandas as pd
import pytest

from narrative_runs.comparison.by_variable import by_variable
from narrative_runs.comparison.files import (
    NAMES,
    NAMES_BY_VARIABLE,
    changed_table,
    measure_table,
    metric_table,
    pair_table,
    param_table,
    variable_changed_table,
    variable_test_table,
    write_files,
)
from narrative_runs.comparison.metrics_beside import metrics_beside
from narrative_runs.comparison.pairs import adjusted, changed, joined, pair_tests
from narrative_runs.comparison.params_apart import ParamApart
from narrative_runs.findings.metrics import measure
from tests.comparison.coded_finished import coded_finished, two_cases
from tests.result_tables import table_at_random, table_of


def written(folder: Path) -> dict[str, pd.DataFrame]:
    """The files of a folder, as pandas reads them; params and ids are texts."""
    texts = {"params.csv": {"value": str}, "changed.csv": {"incident_id": str}}
    return {name: pd.read_csv(folder / name, dtype=texts.get(name)) for name in NAMES}


@pytest.mark.slow
def test_files_hold_all_of_it(tmp_path: Path) -> None:
    """Params with their whole values, metrics with intervals, tests of each pair and scope, and every change."""
    first = table_at_random(40, seed=1)
    other = first.assign(detected=first["detected"] ^ (first["row_num"] % 3 == 0))
    metrics = [measure(table, "id", seed=1) for table in (first, other)]
    params = [
        ParamApart("model.temperature", True, (0.0, None)),
        ParamApart("prompt.system_prompt", True, ("=long\n" * 40, "short")),
        ParamApart("model.extra_body", True, ({"top_k": 1}, {})),
    ]
    pair = joined(first, other)
    tests = adjusted([pair_tests(pair, 1)])
    tables = [
        param_table(params, ["a", "b"]),
        metric_table(metrics_beside(metrics), ["a", "b"]),
        pair_table(tests, ["a", "b"]),
        changed_table([changed(pair)], ["a", "b"]),
    ]
    write_files(tables, tmp_path / "new folder")
    files = written(tmp_path / "new folder")

    told = dict(files["params.csv"].fillna("").set_index(["param", "experiment"])["value"].items())
    assert (told["model.temperature", "a"], told["model.temperature", "b"]) == ("0.0", "")
    assert told["prompt.system_prompt", "a"] == "'" + "=long\n" * 40
    assert told["model.extra_body", "a"] == '{"top_k": 1}'

    rates = files["metrics.csv"].set_index(["scope", "metric", "experiment"]).to_dict("index")
    assert rates["cme", "recall", "b"] == metrics[1]["by_type"]["cme"]["recall"]
    assert rates["overall", "tp", "a"]["value"] == metrics[0]["overall"]["tp"]

    by_scope = files["tests.csv"].set_index("scope")
    assert list(by_scope.index) == ["overall", "cme", "le"]
    assert by_scope.loc["le", "only_first_right"] == tests[0][2].only_first_right
    assert by_scope.loc["cme", "p_value"] == tests[0][1].p_value
    kappa = tests[0][0].kappa
    assert kappa is not None
    assert list(by_scope.loc["overall", ["kappa", "kappa_low", "kappa_high"]]) == list(kappa.values())

    assert list(files["changed.csv"]["incident_id"]) == list(changed(pair)["incident_id"])
    assert set(files["changed.csv"]["other"]) == {"b"}


def test_experiments_that_do_not_differ_give_files_with_headers(tmp_path: Path) -> None:
    """Without labels, differences or changes the files are there, undefined values empty."""
    table = table_of({"detected": True})
    pair, metrics = joined(table, table), measure(table, "id", seed=1)
    tests = adjusted([pair_tests(pair, 1)])
    tables = [
        param_table([], ["a", "b"]),
        metric_table(metrics_beside([metrics, metrics]), ["a", "b"]),
        pair_table(tests, ["a", "b"]),
        changed_table([changed(pair)], ["a", "b"]),
    ]
    write_files(tables, tmp_path)
    files = written(tmp_path)
    assert (len(files["params.csv"]), len(files["changed.csv"])) == (0, 0)
    assert files["tests.csv"][["kappa", "p_value", "p_holm"]].isna().all(axis=None)


def test_files_are_their_owners(tmp_path: Path) -> None:
    """Nobody but the owner can read them, and a text that a spreadsheet would compute is none."""
    first = table_of({"detected": True, "incident_id": "=1+1"})
    pair = joined(first, first.assign(detected=pd.array([False], dtype="boolean")))
    tables = [
        param_table([], ["a", "b"]),
        pd.DataFrame({"value": [1]}),
        pair_table(adjusted([pair_tests(pair, 1)]), ["a", "b"]),
        changed_table([changed(pair)], ["a", "b"]),
    ]
    write_files(tables, tmp_path)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in NAMES} == {0o600}
    assert '"\'=1+1"' in (tmp_path / "changed.csv").read_text()


@pytest.mark.slow
def test_files_by_variable_hold_all_of_it(tmp_path: Path) -> None:
    """Measures with intervals, a row for each test with its rates spread over columns, and every narrative that
    changed, by variable; and no text."""
    first, other = two_cases(30, 1)
    compared = by_variable([coded_finished("a", *first), coded_finished("b", *other)], 1)
    (pair,) = (each._replace(tests=adjusted([each.tests])[0]) for each in compared.pairs.values())
    tables = [
        measure_table(compared.measures, ["a", "b"]),
        variable_test_table([pair.tests], ["a", "b"]),
        variable_changed_table([pair.changed], ["a", "b"]),
    ]
    write_files(tables, tmp_path, NAMES_BY_VARIABLE)
    measures, tests, changes = (pd.read_csv(tmp_path / name, dtype={"incident_id": str}) for name in NAMES_BY_VARIABLE)

    rows = measures.set_index(["variable", "level", "measure", "experiment"]).to_dict("index")
    expected = {(row.variable, row.level, row.measure): row.values for row in compared.measures}
    assert len(rows) == 2 * len(expected)
    assert rows["age", "narrative", "mae", "b"] == expected["age", "narrative", "mae"][1]
    assert rows["weapon", "incident", "n_errors", "a"]["value"] == expected["weapon", "incident", "n_errors"][0]

    of_weapon = tests.set_index("variable").loc["weapon"]
    test = next(test for test in pair.tests if test.variable == "weapon")
    assert test.same is not None and test.difference is not None
    assert list(of_weapon[["same", "same_low", "same_high"]]) == list(test.same.values())
    assert of_weapon["difference_high"] == test.difference["high"]
    assert (of_weapon["n_labelled"], of_weapon["p_holm"]) == (test.n_labelled, test.p_holm)

    assert dict(changes["variable"].value_counts()) == {
        name: len(each) for name, each in pair.changed.items() if len(each)
    }
    of_age = changes[changes["variable"] == "age"]
    assert list(of_age["value_other"]) == list(pair.changed["age"]["value_other"])
    assert not changes.map(lambda cell: cell in {"a b", '["a b"]'}).any(axis=None)


def test_without_a_shared_variable_files_have_headers(tmp_path: Path) -> None:
    """Of a pair of which nothing is compared there is no row, and all columns are there."""
    tables = [
        measure_table([], ["a", "b"]),
        variable_test_table([[]], ["a", "b"]),
        variable_changed_table([{}], ["a", "b"]),
    ]
    write_files(tables, tmp_path, NAMES_BY_VARIABLE)
    measures, tests, changes = (pd.read_csv(tmp_path / name) for name in NAMES_BY_VARIABLE)
    assert len(measures) == len(tests) == len(changes) == 0
    assert {"variable", "n_labelled", "same_low", "p_holm"} <= {*tests.columns}
    assert {"variable", "value_first", "label_other"} <= {*changes.columns}
