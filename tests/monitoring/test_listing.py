import io
import json

from rich.console import Console

from narrative_runs.monitoring.experiments import experiments
from narrative_runs.monitoring.listing import table_of
from narrative_runs.paths import ExperimentFolder
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


def test_measures_of_incidents_stand_in_where_narratives_have_no_labels(add: Add) -> None:
    """Where incidents alone have labels, their measures are shown and called so; where metrics.json is damaged or
    narratives have labels, nothing stands in."""
    no_measures = dict.fromkeys(("accuracy", "precision_ipv", "recall_ipv", "f1_ipv"))
    rates = {name: {"value": value, "low": 0.0, "high": 1.0} for name, value in (("accuracy", 0.5), ("f1", 0.25))}
    incident = {"n": 8, "precision": None, "recall": None, **rates}
    for slug, n in (("deaths", 0), ("narratives", 3), ("damaged", 0)):
        add(slug, "completed", **no_measures)
        text = json.dumps({"overall": {"n": n}, "incident": incident})
        ExperimentFolder(slug).metrics.write_text(text[: -5 if slug == "damaged" else None])
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(table_of(experiments()))
    lines = [line.split() for line in console.export_text().splitlines()]
    of_slug = {line[0]: number for number, line in enumerate(lines)}
    assert lines[of_slug["deaths"]][-6:-2] == ["0.500", "-", "-", "0.250"]
    assert lines[of_slug["deaths"] + 1] == ["incidents"] * 4
    assert all(lines[of_slug[slug]][-6:-2] == ["-"] * 4 for slug in ("narratives", "damaged"))
