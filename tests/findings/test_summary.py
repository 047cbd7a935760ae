from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from narrative_runs.findings.metrics import measure
from narrative_runs.findings.summary import print_summary
from narrative_runs.places import ExperimentFolder

ResultTable = Callable[..., pd.DataFrame]


def shown(metrics: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed of an experiment, on the terminal's error stream alone."""
    print_summary(metrics, ExperimentFolder("cases"))
    told = capsys.readouterr()
    assert told.out == ""
    return told.err


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
