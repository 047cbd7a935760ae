"""A comparison on the terminal, within 80 columns; the experiments are called A, B and so on."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pandas as pd
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from narrative_runs.comparison.compared import LETTERS
from narrative_runs.comparison.metrics_beside import RATES, MetricBeside
from narrative_runs.comparison.pairs import PairTest
from narrative_runs.comparison.params_apart import ParamApart, as_text, is_long, lines_apart
from narrative_runs.comparison.titles import LEVEL_TITLES, PAIR_TITLES, VARIABLE_TITLES, scope_title, titled_fields
from narrative_runs.comparison.variable_pairs import INCIDENT, VariablePair, VariableTest
from narrative_runs.comparison.variables_beside import COUNTS, MeasureBeside
from narrative_runs.findings.intervals import Rate
from narrative_runs.findings.rounding import p_value, shown
from narrative_runs.findings.summary import column_title, shown_rate
from narrative_runs.finished import Finished
from narrative_runs.report.measures import TITLES

_ABREAST = 4
_TESTS_ABREAST = 3
_CHANGES_SHOWN = 20
_NEEDLESS_ZERO = re.compile(r"^([<>]?-?)0\.")


class PrintedComparison:
    """The tables of one comparison, printed to `console`; is_by_variable: whether variables are compared as well,
    so that there is more than one test to adjust for."""

    def __init__(self, experiments: Sequence[Finished], console: Console, is_by_variable: bool = False) -> None:
        self._experiments = experiments
        self._console = console
        self._is_adjusted = is_by_variable or len(experiments) > 2

    def show_experiments(self) -> None:
        """The experiments by letter, and whether they read the same workbook."""
        table = _table("", "experiment", "model", "narratives", "errors", title="Experiments")
        for letter, finished in zip(LETTERS, self._experiments, strict=False):
            counts = (str(finished.metrics[count]) for count in ("n_processed", "n_errors"))
            table.add_row(letter, _shown(finished.label), _shown(finished.state.params["model"]["name"]), *counts)
        self._console.print(table)
        if len({finished.state.source_md5 for finished in self._experiments}) > 1:
            self._console.print("The workbooks are not the same: only narratives with the same text are compared.")

    def show_params(self, params: Sequence[ParamApart]) -> None:
        """The params that differ; of long texts, the lines that do."""
        if not params:
            self._console.print("\nNo param differs.")
            return
        for start, letters in self._abreast():
            table = _table("param", "", *letters, title="Params that differ")
            for row in params:
                values = (_short(row, value) for value in row.values[start : start + _ABREAST])
                table.add_row(row.key, "frozen" if row.is_frozen else "free", *values)
            self._console.print(table)
        for row in filter(is_long, params):
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
        """The changes from the first experiment to the one with index `other`, and whether they may be chance."""
        letters = {"first": LETTERS[0], "other": LETTERS[other]}
        about = f"A and {LETTERS[other]}"
        for level in LEVEL_TITLES:
            of_level = [test for test in tests if (test.scope == INCIDENT) == (level == INCIDENT)]
            for start in range(0, len(of_level), _TESTS_ABREAST):
                self._console.print(self._test_table(about, letters, level, of_level[start : start + _TESTS_ABREAST]))
                about = ""
        if tests[0].n_other_label:
            self._console.print("Labels differ: a narrative with a different label is not counted in any test.")
        if tests[0].n_compared:
            self._show_changes(letters["other"], changes)
        else:
            self._console.print("\nNothing could be compared: no narrative with the same text was answered in both.")

    def _test_table(self, about: str, letters: dict[str, str], level: str, tests: Sequence[PairTest]) -> Table:
        titles = ["all" if level == INCIDENT else _scope_title(test.scope) for test in tests]
        table = _table(LEVEL_TITLES[level], *titles, title=about, justify="right")
        self._add_tests(table, titled_fields(PAIR_TITLES, level, letters), tests)
        return table

    def show_variables(self, measures: Sequence[MeasureBeside]) -> None:
        """The measures of variables with their intervals, a table for each variable and level."""
        about = "Variables, with 95% intervals"
        for name, level in dict.fromkeys((row.variable, row.level) for row in measures):
            for start, letters in self._abreast(_TESTS_ABREAST):
                title = Text(f"{name}, {LEVEL_TITLES[level]}")
                table = _table(title, *letters, title=about, justify="right", is_whole=True)
                for row in measures:
                    if (row.variable, row.level) == (name, level):
                        values = row.values[start : start + _TESTS_ABREAST]
                        cells = (_count(value) if row.measure in COUNTS else _rate(value) for value in values)
                        table.add_row(COUNTS.get(row.measure) or TITLES[row.measure], *cells)
                self._console.print(table)
                about = ""

    def show_variable_pair(self, other: int, pair: VariablePair) -> None:
        """How the variables of the first experiment differ from those of the one with index `other`."""
        letters = {"first": LETTERS[0], "other": LETTERS[other]}
        about = f"A and {LETTERS[other]}, by variable"
        for level in LEVEL_TITLES:
            tests = [test for test in pair.tests if test.level == level]
            for start in range(0, len(tests), _TESTS_ABREAST):
                self._console.print(self._variable_table(about, letters, level, tests[start : start + _TESTS_ABREAST]))
                about = ""
        if pair.not_compared:
            reasons = (f"{name} ({reason.format(**letters)})" for name, reason in pair.not_compared.items())
            self._console.print(Text(f"\nNot compared: {', '.join(reasons)}."))

    def show_numbers_of_changes(self, other: int, changed: Mapping[str, pd.DataFrame]) -> None:
        """How many narratives changed from the first experiment to the one with index `other`, by variable."""
        if changed:
            numbers = ", ".join(f"{name} {len(changes):,}" for name, changes in changed.items())
            self._console.print(
                Text(f"\nNarratives that changed from A to {LETTERS[other]}: {numbers}. --variable NAME shows which.")
            )

    def show_changes_of_variable(self, other: int, changes: pd.DataFrame) -> None:
        """The narratives whose value of one variable changed."""
        columns = ("incident_id", "narrative_type", "value_first", "value_other", "label_first", "label_other")
        self._list_changes(LETTERS[other], changes[list(columns)].itertuples(index=False, name=None), len(changes))

    def _variable_table(self, about: str, letters: dict[str, str], level: str, tests: Sequence[VariableTest]) -> Table:
        titles = [Text(column_title(test.variable)) for test in tests]
        table = _table(LEVEL_TITLES[level], *titles, title=about, justify="right", is_whole=True)
        self._add_tests(table, titled_fields(VARIABLE_TITLES, level, letters), tests)
        return table

    def _add_tests(
        self, table: Table, fields: Iterable[tuple[str, str]], tests: Sequence[PairTest | VariableTest]
    ) -> None:
        """Add a row for each field of tests, which are beside each other."""
        for field, title in fields:
            if field != "p_holm" or self._is_adjusted:
                table.add_row(title, *(_SHOWN_AS.get(field, str)(getattr(test, field)) for test in tests))

    def _show_changes(self, letter: str, changes: pd.DataFrame) -> None:
        rows = (
            (
                row.incident_id,
                row.narrative_type,
                *(str(bool(detected)).lower() for detected in (row.detected_first, row.detected_other)),
                row.label_first,
                row.label_other,
            )
            for row in changes.itertuples(index=False)
        )
        self._list_changes(letter, rows, len(changes))

    def _list_changes(self, letter: str, rows: Iterable[tuple[Any, ...]], number: int) -> None:
        """The first of some narratives that changed, each with its incident, type, both values and both labels."""
        if not number:
            self._console.print(f"\nNo narrative changed from A to {letter}.")
            return
        table = _table("incident_id", "type", "A", letter, "label", title=f"Narratives that changed from A to {letter}")
        for incident, narrative_type, first, other, *labels in islice(rows, _CHANGES_SHOWN):
            values = (_shown(_label(value)) for value in (first, other))
            label = " or ".join(dict.fromkeys(map(_label, labels)))
            table.add_row(_shown(str(incident)), str(narrative_type), *values, _shown(label))
        self._console.print(table)
        if number > _CHANGES_SHOWN:
            self._console.print(f"… and {number - _CHANGES_SHOWN} more; --csv FOLDER writes all.")

    def _abreast(self, width: int = _ABREAST) -> Iterator[tuple[int, str]]:
        """(index of the first, letters) of the experiments, as many at a time as fit beside each other."""
        letters = LETTERS[: len(self._experiments)]
        for start in range(0, len(letters), width):
            yield start, letters[start : start + width]


def _scope_title(scope: str) -> str:
    return column_title(scope_title(scope))


def _table(*columns: str | Text, title: str = "", justify: JustifyMethod = "left", is_whole: bool = False) -> Table:
    """A table with these columns; is_whole: whether only cells of the first column may be broken over lines."""
    table = Table(title=f"\n{title}", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        is_first = index == 0
        table.add_column(
            column, overflow="fold", justify="left" if is_first else justify, no_wrap=is_whole and not is_first
        )
    return table


def _short(row: ParamApart, value: object) -> Text:
    return Text("see below") if is_long(row) else _shown(as_text(value) or "-")


def _shown(text: str) -> Text:
    """A text from outside, without characters that would control the terminal."""
    return Text("".join(character if character.isprintable() else "�" for character in text))


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _label(label: Any) -> str:
    return "-" if pd.isna(label) else str(label)


def _shown_p(chance: float | None) -> str:
    return "-" if chance is None else p_value(chance)


def _rate(value: Rate) -> Text:
    """A measure of any size with its interval, as short as it can be; a dash where it is undefined."""
    if value is None:
        return Text("-")
    return Text(f"{_brief(value['value'])} [{_brief(value['low'])} {_brief(value['high'])}]")


# By field of a test; all others are counts and words.
_SHOWN_AS: dict[str, Callable[[Any], Text | str]] = {
    "kappa": shown_rate,
    "same": _rate,
    "difference": _rate,
    "p_value": _shown_p,
    "p_holm": _shown_p,
}


def _brief(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else _NEEDLESS_ZERO.sub(r"\1.", shown(number, 2))
