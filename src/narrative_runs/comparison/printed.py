"""A comparison on the terminal, within 80 columns; the experiments are called A, B and so on."""

from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import Any

import pandas as pd
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from narrative_runs.comparison.files import as_text
from narrative_runs.comparison.metrics_beside import RATES, MetricBeside
from narrative_runs.comparison.pairs import PairTest
from narrative_runs.comparison.params_apart import SOURCE, ParamApart, lines_apart
from narrative_runs.data_columns import type_title
from narrative_runs.findings.rounding import p_value
from narrative_runs.findings.summary import column_title, shown_rate
from narrative_runs.finished import Finished

LETTERS = ascii_uppercase
_SCOPE_TITLES = {"overall": "all narratives", "incident": "incidents"}
_ABREAST = 4
_TESTS_ABREAST = 3
_LONG_VALUE = 40
_CHANGES_SHOWN = 20
_COUNTS = {
    "n_only_first": "only in {first}",
    "n_only_other": "only in {other}",
    "n_other_text": "with another text",
    "n_error": "with an error",
    "n_compared": "compared",
    "both_detected": "  detected by both",
    "only_first_detected": "  only by {first}",
    "only_other_detected": "  only by {other}",
    "neither_detected": "  by neither",
    "n_other_label": "with another label",
    "n_labelled": "labelled",
    "both_right": "  right in both",
    "only_first_right": "  right only in {first}",
    "only_other_right": "  right only in {other}",
    "both_wrong": "  wrong in both",
}


class PrintedComparison:
    """The tables of one comparison; `console` is where they go."""

    def __init__(self, experiments: Sequence[Finished], console: Console) -> None:
        self._experiments = experiments
        self._console = console

    def show_experiments(self) -> None:
        """Who is who, and whether they read the same workbook."""
        table = _table("", "experiment", "model", "narratives", "errors", title="Experiments")
        for letter, finished in zip(LETTERS, self._experiments, strict=False):
            counts = (str(finished.metrics[count]) for count in ("n_processed", "n_errors"))
            table.add_row(letter, _shown(finished.label), _shown(finished.begun.params["model"]["name"]), *counts)
        self._console.print(table)
        if len({finished.begun.source_md5 for finished in self._experiments}) > 1:
            self._console.print("The workbooks are not the same: only narratives with the same text are compared.")

    def show_params(self, params: Sequence[ParamApart]) -> None:
        """The params that differ; of long texts, where they do."""
        if not params:
            self._console.print("\nNo param differs.")
            return
        for start, letters in self._abreast():
            table = _table("param", "", *letters, title="Params that differ")
            for row in params:
                values = (_short(row, value) for value in row.values[start : start + _ABREAST])
                table.add_row(row.key, "frozen" if row.is_frozen else "free", *values)
            self._console.print(table)
        for row in filter(_is_long, params):
            for letter, value in zip(LETTERS[1:], row.values[1:], strict=False):
                if value != row.values[0]:
                    self._console.print(f"\n{row.key}, A (-) and {letter} (+):")
                    for line in lines_apart(as_text(row.values[0]) or "", as_text(value) or "", self._console.width):
                        self._console.print(_shown(line), no_wrap=True)

    def show_metrics(self, metrics: Sequence[MetricBeside]) -> None:
        """The metrics with their intervals, a table for each scope."""
        for scope in dict.fromkeys(row.scope for row in metrics):
            for start, letters in self._abreast():
                above = "Rates with 95% intervals" if scope == "overall" else ""
                table = _table(_scope_title(scope), *letters, title=above, justify="right")
                for row in metrics:
                    if row.scope == scope:
                        values = row.values[start : start + _ABREAST]
                        cells = (shown_rate(value) if row.metric in RATES else _count(value) for value in values)
                        table.add_row(row.metric.replace("detection_rate", "detected"), *cells)
                self._console.print(table)

    def show_pair(self, other: int, tests: Sequence[PairTest], changes: pd.DataFrame) -> None:
        """What changed from the first experiment to the one in place `other`, and whether that may be chance."""
        letters = {"first": LETTERS[0], "other": LETTERS[other]}
        for start in range(0, len(tests), _TESTS_ABREAST):
            about = "" if start else f"A and {LETTERS[other]}"
            self._console.print(self._test_table(about, letters, tests[start : start + _TESTS_ABREAST]))
        if tests[0].n_other_label:
            self._console.print("Labels differ: a narrative with another label counts in no test.")
        if tests[0].n_compared:
            self._show_changes(letters["other"], changes)
        else:
            self._console.print("\nNothing could be compared: no narrative was answered in both, with the same text.")

    def _test_table(self, about: str, letters: dict[str, str], tests: Sequence[PairTest]) -> Table:
        titles = [_scope_title(test.scope) for test in tests]
        table = _table("narratives", *titles, title=about, justify="right")
        for field, name in _COUNTS.items():
            table.add_row(name.format(**letters), *(str(getattr(test, field)) for test in tests))
            if field == "neither_detected":
                table.add_row("  kappa", *(shown_rate(test.kappa) for test in tests))
        table.add_row("  p (McNemar, exact)", *(_shown_p(test.p_value) for test in tests))
        if len(self._experiments) > 2:
            table.add_row("  p (Holm)", *(_shown_p(test.p_holm) for test in tests))
        return table

    def _show_changes(self, letter: str, changes: pd.DataFrame) -> None:
        if changes.empty:
            self._console.print(f"\nNo narrative changed from A to {letter}.")
            return
        table = _table("incident_id", "type", "A", letter, "label", title=f"Narratives that changed from A to {letter}")
        for row in changes.head(_CHANGES_SHOWN).itertuples(index=False):
            detections = (str(bool(detected)).lower() for detected in (row.detected_first, row.detected_other))
            labels = dict.fromkeys(_label(label) for label in (row.label_first, row.label_other))
            table.add_row(_shown(str(row.incident_id)), str(row.narrative_type), *detections, " or ".join(labels))
        self._console.print(table)
        if len(changes) > _CHANGES_SHOWN:
            self._console.print(f"… and {len(changes) - _CHANGES_SHOWN} more; --csv FOLDER writes all.")

    def _abreast(self) -> Iterator[tuple[int, str]]:
        """(place of the first, letters) of the experiments, as many at a time as fit beside each other."""
        letters = LETTERS[: len(self._experiments)]
        for start in range(0, len(letters), _ABREAST):
            yield start, letters[start : start + _ABREAST]


def _scope_title(scope: str) -> str:
    return column_title(_SCOPE_TITLES.get(scope) or type_title(scope))


def _table(*columns: str, title: str = "", justify: JustifyMethod = "left") -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify=justify if place else "left")
    return table


def _is_long(row: ParamApart) -> bool:
    texts = [as_text(value) or "" for value in row.values]
    return row.key != SOURCE and any(len(text) > _LONG_VALUE or "\n" in text for text in texts)


def _short(row: ParamApart, value: object) -> Text:
    return Text("see below") if _is_long(row) else _shown(as_text(value) or "-")


def _shown(text: str) -> Text:
    """A text from outside, without what would steer the terminal."""
    return Text("".join(character if character.isprintable() else "�" for character in text))


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _label(label: Any) -> str:
    return "-" if pd.isna(label) else str(label)


def _shown_p(chance: float | None) -> str:
    return "-" if chance is None else p_value(chance)
