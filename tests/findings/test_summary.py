from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.coded_tables import CODEBOOK, case
from tests.result_tables import labelled_by_incident, table_at_random

from narrative_runs.findings.metrics import measure
from narrative_runs.findings.summary import print_summary, shown_rate, warnings
from narrative_runs.paths import ExperimentFolder

ResultTable = Callable[..., pd.DataFrame]


def shown(metrics: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed of an experiment, on the terminal's error stream alone."""
    print_summary(metrics, ExperimentFolder("cases"))
    told = capsys.readouterr()
    assert told.out == ""
    return told.err


def by_sex(results: pd.DataFrame, first: str) -> pd.DataFrame:
    """The first group for the incidents with an even number, M for all others."""
    is_even = results["incident_id"].astype("int64") % 2 == 0
    return pd.DataFrame({"Sex": np.where(is_even, first, "M")}, index=results["row_num"].to_numpy())


@pytest.mark.slow
def test_groups_are_shown_with_what_hits_them_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each group has a row, small ones have a star, a name from the workbook is shown as it is; a group that errors
    hit more often than others is told with both shares."""
    monkeypatch.setenv("COLUMNS", "80")
    results = table_at_random(400, seed=2, types=("cme",))
    is_hit = (results["incident_id"].astype("int64") % 10 == 0).to_numpy(bool)
    results.loc[is_hit, ["error_occurred", "detected"]] = (True, pd.NA)
    grouped = by_sex(results, "[red]F")
    text = shown(measure(results, "id", 1, ("cme",), grouped=grouped), capsys)
    assert "by Sex;" in text and row_of(text, "[red]F").count("[") == 4 and "…" not in text
    assert "WARNING: errors hit Sex [red]F more often than all others: " in " ".join(text.split())
    few = table_at_random(20, seed=2, types=("cme",))
    assert "M *" in shown(measure(few, "id", 1, ("cme",), grouped=by_sex(few, "F")), capsys)
    many = pd.DataFrame({"Id": results["incident_id"].to_numpy()}, index=results["row_num"].to_numpy())
    assert "the first 20 of 400" in " ".join(shown(measure(results, "id", 1, ("cme",), grouped=many), capsys).split())


def test_groups_have_the_rates_of_incidents_where_they_alone_have_labels(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no narrative has a label, each group has the answered incidents and their rates as in metrics.json, which
    its title says, and a star stands at few labelled incidents."""
    results = labelled_by_incident(table_at_random(300, seed=2))
    results.loc[results["incident_id"].astype("int64") % 2 == 0, "manual_flag"] = pd.NA
    is_even = results["incident_id"].astype("int64") % 2 == 0
    results.loc[is_even & (results["incident_id"].astype("int64") < 20), "manual_flag"] = 1
    metrics = measure(results, "id", 1, grouped=by_sex(results, "F"))
    text = shown(metrics, capsys).partition("by Sex")[2]
    assert " ".join(text.split()).startswith(", incidents (errors: of narratives); *")
    for name, star in (("F", ["*"]), ("M", [])):
        of_incidents = metrics["groups"]["Sex"][name]["incident"]
        words = row_of(text, name).split()
        assert words[1 : 2 + len(star)] == [*star, str(of_incidents["n_answered"])]
        assert shown_rate(of_incidents["recall"]).replace("\\", "") in row_of(text, name)


@pytest.mark.slow
def test_variables_are_shown_with_the_measure_of_their_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each variable has a row with its counts and, under `measure`, what stands for its type: for passages the share in
    the text, which needs no label, and for texts nothing."""
    monkeypatch.setenv("COLUMNS", "120")
    table, labels = case(100, 1)
    del labels["evidence"], labels["weapon"]
    metrics = measure(table, "id", 1, codebook=CODEBOOK, labels=labels)
    lines = shown(metrics, capsys).partition("answers by variable")[2].splitlines()[1:]
    assert lines[0].split() == ["answered", "unclear", "not", "asked", "errors", "measure"]
    rows = {line.split()[0]: line for line in lines[1 : 1 + len(CODEBOOK.variables)]}
    assert list(rows) == list(CODEBOOK.variables)
    in_text = f"{metrics['variables']['evidence']['narrative']['in_text']['value']:.2f}".replace("0.", ".")
    assert f" in text {in_text} [" in rows["evidence"] and " jaccard ." in rows["persons"]
    assert rows["weapon"].split()[-1] == rows["summary"].split()[-1] == "-"


def test_masked_metrics_warn_without_numbers() -> None:
    """What is masked is in no warning, and that labels are of a chosen part is told all the same."""
    labels = dict.fromkeys(("n_labelled", "n_unlabelled", "difference"), "masked") | {"differ": True}
    (told,) = warnings({"labels": labels})
    assert not any(character.isdigit() for character in told) and "label a random sample" in told


def row_of(text: str, name: str) -> str:
    """The line of a table that begins with `name`."""
    return next(line for line in text.splitlines() if line.strip().startswith(name))


def test_the_summary_shows_counts_rates_and_places(
    result_table: ResultTable, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts, each rate with its interval, and where to find all of it are printed."""
    kinds = [(1, True)] * 42 + [(0, True)] * 14 + [(1, False)] * 6 + [(0, False)] * 338
    results = result_table(
        *({"manual_flag_ind": label, "detected": found} for label, found in kinds), {"detected": None}
    )
    metrics = measure(results, "id", seed=1)
    text = shown(metrics, capsys)
    assert "401 narratives, 1 errors" in text
    counts = {name: row_of(text, name).split()[1:3] for name in ("TP", "FP", "FN", "TN")}
    assert counts == {"TP": ["42", "42"], "FP": ["14", "14"], "FN": ["6", "6"], "TN": ["338", "338"]}
    precision = metrics["overall"]["precision"]
    interval = f"[{precision['low']:.2f} {precision['high']:.2f}]".replace("0.", ".")
    assert row_of(text, "precision").split("precision")[1].strip().startswith(f".75 {interval}")
    assert "results/cases/" in text
    assert "results/experiments.db" in text


@pytest.mark.parametrize("columns", ["80", "100", "200"])
def test_no_number_is_cut_off(
    result_table: ResultTable,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    """In a terminal of 80 columns too, every rate is whole, negative ones with all their signs."""
    monkeypatch.setenv("COLUMNS", columns)
    kinds = [(1, True)] * 8 + [(0, True)] * 21 + [(1, False)] * 23 + [(0, False)] * 12
    narratives = [
        {"incident_id": str(number), "narrative_type": kind, "manual_flag_ind": label, "detected": found}
        for number, (label, found) in enumerate(kinds)
        for kind in ("cme", "le")
    ]
    metrics = measure(result_table(*narratives), "id", seed=1)
    assert metrics["overall"]["mcc"]["value"] < 0
    text = shown(metrics, capsys)
    assert "…" not in text
    assert "specificity" in text
    for rate in ("accuracy", "kappa", "mcc"):
        value = f"{metrics['overall'][rate]['value']:.2f}".replace("0.", ".")
        assert row_of(text, rate).count(value) == 4
        assert row_of(text, rate).count("]") == 4


def test_any_number_of_narrative_types_is_shown(
    random_results: ResultTable, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more types, or types of long names, every rate of every type is whole on 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    types = ("examiner", "report_of_the_sheriffs_office_1", "toxicology", "le")
    text = shown(measure(random_results(100, 3, types), "id", 1, types), capsys)
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    recalls = [line for line in text.splitlines() if line.startswith("recall")]
    assert [line.count("[") == line.count("]") and line.count("[") for line in recalls] == [4, 2]
    assert text.index("examiner") < text.index("toxicology") < text.index("LE") < text.index("incidents")
    one = shown(measure(random_results(100, 3, ("examiner",)), "id", 1, ("examiner",)), capsys)
    assert row_of(one, "recall").count("[") == 3


def test_what_is_undefined_is_a_dash(result_table: ResultTable, capsys: pytest.CaptureFixture[str]) -> None:
    """Rates that are not defined, as without labels, are shown as such and not as 0."""
    text = shown(measure(result_table({"detected": True}), "id", seed=1), capsys)
    assert row_of(text, "precision").split() == ["precision", "-", "-", "-", "-"]
    assert row_of(text, "detect").count(" 1.00 [") == 3
    assert row_of(shown(measure(result_table(), "id", seed=1), capsys), "accuracy").split()[1:] == ["-"] * 4


@pytest.mark.parametrize("has_codebook", [False, True])
@pytest.mark.slow
def test_what_was_seen_is_shown_beside_what_was_not(
    has_codebook: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where narratives were seen before, a table has the rates with and without their incidents, and says how many they
    were; variables have their measure twice. All fits into 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    table, labels = case(200, 1)
    seen = {f"{number:04d}": 2 for number in range(20)}
    asked: dict[str, Any] = {"codebook": CODEBOOK, "labels": labels} if has_codebook else {}
    metrics = measure(table, "id", 1, seen=seen, **asked)
    text = shown(metrics, capsys)
    part = text.partition("40 narratives of 20 incidents were seen before")[2]
    assert part and "…" not in text
    whole, unseen = metrics["overall"], metrics["unseen"]["overall"]
    incidents, unseen_incidents = metrics["incident"], metrics["unseen"]["incident"]
    columns = (whole, unseen, incidents, unseen_incidents)
    assert row_of(part, "TP").split()[1:] == [str(scope["tp"]) for scope in columns]
    assert whole["tp"] > unseen["tp"] and incidents["n"] > unseen_incidents["n"]
    assert ("variables; unseen" in text) == has_codebook
    if has_codebook:
        measured = [each["variables"]["weapon"]["narrative"]["macro_f1"] for each in (metrics, metrics["unseen"])]
        row = row_of(text.partition("variables; unseen")[2], "weapon")
        assert row.split()[3::3] == [f"{rate['value']:.2f}".lstrip("0") for rate in measured]
    del metrics["unseen"]
    assert "seen" not in shown(metrics, capsys)
