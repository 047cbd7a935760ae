"""The findings that the record's row of an experiment holds: all there is when its files are not here."""

from collections.abc import Mapping
from typing import Any

from narrative_runs.page.findings.sections import OUTCOMES, errors
from narrative_runs.page.narrative_links import NarrativeLinks
from narrative_runs.page.tables import Cell, Section, Table, count_cell, in_cells
from narrative_runs.report.cells import number

_CELLS = {"tp": "n_true_positive", "fp": "n_false_positive", "fn": "n_false_negative", "tn": "n_true_negative"}
_COUNTS = {
    "Narratives": "n_narratives_total",
    "With a result": "n_narratives_processed",
    "Answered": "n_narratives_completed",
    "Detected": "n_positive_detected",
    "Not detected": "n_negative_detected",
    "Labelled positive": "n_positive_manual",
    "Labelled negative": "n_negative_manual",
}
# Of how many narratives they are does not depend on labels and answers.
_OF_THE_RUN = ("n_narratives_total", "n_narratives_processed", "n_narratives_completed")
_RATES = {"Accuracy": "accuracy", "Precision": "precision_ipv", "Recall (sensitivity)": "recall_ipv", "F1": "f1_ipv"}


def sections(which: str, row: Mapping[str, Any], error_counts: Mapping[str, int], below: int = 0) -> list[Section]:
    """The sections of an experiment's findings, from its row in the record.

    In: its slug or id; the row; how many of its narratives are errors of each category; the limit below which counts
    are masked: with one, only what tells of the run is shown.
    """
    links = NarrativeLinks(which)
    names = {title: name for title, name in _COUNTS.items() if not below or name in _OF_THE_RUN}
    counts = [[Cell(title), count_cell(row.get(name), "")] for title, name in names.items()]
    tables = [Table("Narratives", ["", "Number"], counts)]
    sentences = []
    if below:
        sentences.append(f"Labels and answers are masked (`report.suppress_below`: {below}).")
    elif any(row.get(name) for name in _CELLS.values()):
        cells = [
            [Cell(f"{words.capitalize()} ({cell.upper()})"), count_cell(row.get(name), links.of(cell), words)]
            for (cell, words), name in zip(OUTCOMES.items(), _CELLS.values(), strict=True)
        ]
        rates = in_cells([title, number(row.get(name))] for title, name in _RATES.items())
        tables += [
            Table("Detections against manual labels", ["", "Narratives"], cells),
            Table("Rates, without intervals", ["", "Rate"], rates),
        ]
    return [Section("record", "In the record", sentences, tables), errors(error_counts, {}, links)]
