import io

from rich.console import Console

from narrative_runs.monitoring.experiments import experiments
from narrative_runs.monitoring.listing import table_of
from tests.monitoring.conftest import Add


def test_a_row_each(add: Add) -> None:
    """Each experiment has a row; measures are those of completed ones alone, and a dash where there is none."""
    measures = {"accuracy": 0.91, "precision_ipv": 0.8, "recall_ipv": None, "f1_ipv": 0.75}
    add("old", "failed", start_time="2026-01-01 00:00:00", **measures)
    add("new", "completed", n_narratives_processed=10, start_time="2026-02-01 00:00:00", **measures)
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(table_of(experiments()))
    header, new, old = (line.split() for line in console.export_text().splitlines())
    assert header == ["slug", "name", "state", "done", "accuracy", "precision", "recall", "F1", "started"]
    assert " ".join(new) == "new New completed 10 of 10 (100.0%) 0.910 0.800 - 0.750 2026-02-01 00:00:00"
    assert " ".join(old) == "old Old failed 4 of 10 (40.0%) 2026-01-01 00:00:00"


def test_a_name_is_only_text(add: Add) -> None:
    """Brackets in a name are shown, and mean nothing."""
    add("pilot", "failed", experiment_name="Pilot [v2] [/x]")
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(table_of(experiments()))
    assert "Pilot [v2] [/x]" in console.export_text()
