"""`try` and `preflight --show` on the terminal; `try` within 80 columns, its configurations called A, B and so on."""

from collections.abc import Iterator, Sequence
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from narrative_runs.comparison.codebooks import A_TEXT
from narrative_runs.comparison.compared import LETTERS
from narrative_runs.comparison.scores import RIGHT_OR_WRONG
from narrative_runs.comparison.variable_pairs import INCIDENT, VariableTest
from narrative_runs.comparison.variables_beside import COUNTS, MeasureBeside
from narrative_runs.development.configuration import Answered, Configuration, Sample
from narrative_runs.development.measured import (
    AGREEMENT,
    AgreementSoFar,
    Differing,
    Spent,
    Tried,
    agreement_so_far,
    may_be_chance,
    other_less_first,
    tried,
)
from narrative_runs.development.shown import ShownNarrative, shown_narratives
from narrative_runs.findings.rounding import p_value
from narrative_runs.findings.summary import shown_rate
from narrative_runs.one_result import as_lines, terminal_width
from narrative_runs.plain_console import PlainConsole
from narrative_runs.plain_text import plain
from narrative_runs.report.cells import rate
from narrative_runs.report.measures import TITLES

MEASURES = {**TITLES, **COUNTS, "recall": "Sensitivity", AGREEMENT: "Agreement"}
_LEVELS = {"narrative": "narratives", "incident": "incidents"}
_ABREAST = 4
_DIFFERING_SHOWN = 20


def print_try(sample: Sample, answered: Sequence[Answered]) -> None:
    """Print how these configurations compare: the tables of `PrintedTry.show`."""
    printed = PrintedTry([each.configuration for each in answered], PlainConsole(highlight=False))
    printed.show(tried(sample, answered), sample.n_in_workbook)


def print_shown(sample: Sample, answered: Answered) -> None:
    """Print the narratives of a sample one after another, each with its answer, and how often they agree so far."""
    narratives = shown_narratives(sample, answered)
    for number, narrative in enumerate(narratives, 1):
        print("\n".join(["", *narrative_lines(narrative, f"{number} of {len(narratives)}", terminal_width())]))
    print()
    print_agreement(sample, answered)


def print_agreement(sample: Sample, answered: Answered) -> None:
    """Print how often the answers are right so far, without any text."""
    for line in agreement_lines(agreement_so_far(sample, answered)):
        print(line)


class PrintedTry:
    """The tables of one try, printed to `console`."""

    def __init__(self, configurations: Sequence[Configuration], console: Console) -> None:
        self._configurations = configurations
        self._letters = LETTERS[: len(configurations)]
        self._console = console

    def show(self, comparison: Tried, n_in_workbook: int) -> None:
        """All of it: the configurations, the cost of each, how good each is, which differences may be chance, and where
        they differ; n_in_workbook: narratives that a run of the whole workbook would ask about."""
        self._show_configurations(comparison.spent)
        self._show_spent(comparison.spent, n_in_workbook)
        self._show_measures(comparison.measures)
        self._show_differences(comparison)
        self._show_differing(comparison.differing)

    def _show_configurations(self, spent: Sequence[Spent]) -> None:
        table = _table("", "configuration", "model", "answers", "errors", title="Configurations")
        for letter, configuration, each in zip(self._letters, self._configurations, spent, strict=True):
            counts = (f"{number:,}" for number in (each.n, each.n_errors))
            table.add_row(letter, _shown(configuration.name), _shown(configuration.params.model.name), *counts)
        self._console.print(table)

    def _show_spent(self, spent: Sequence[Spent], n_in_workbook: int) -> None:
        has_cost = any(each.cost is not None for each in spent)
        columns = ["", "prompt", "completion", "seconds", "tokens of all"] + ["cost", "cost of all"] * has_cost
        about = f"Tokens, seconds an answer, and what all {n_in_workbook:,} narratives would take"
        table = _table(*columns, title=about)
        for letter, each in zip(self._letters, spent, strict=True):
            cells = [
                _number(each.prompt_tokens),
                _number(each.completion_tokens),
                _number(each.seconds, 1),
                _number(each.tokens_of_workbook),
            ]
            costs = map(_cost, (each.cost, each.cost_of_workbook))
            table.add_row(letter, *cells, *(costs if has_cost else []))
        self._console.print(table)
        if any(each.prompt_tokens is None for each in spent):
            self._console.print("A dash: this server does not count tokens.")

    def _show_measures(self, measures: Sequence[MeasureBeside]) -> None:
        self._console.print("\nMeasures, with 95% intervals")
        for name, level in dict.fromkeys((row.variable, row.level) for row in measures):
            for start in range(0, len(self._letters), _ABREAST):
                letters = self._letters[start : start + _ABREAST]
                table = _table(Text(f"{name}, {_LEVELS[level]}"), *letters)
                for row in measures:
                    if (row.variable, row.level) == (name, level):
                        values = row.values[start : start + _ABREAST]
                        cells = (_number(value) if row.measure in COUNTS else shown_rate(value) for value in values)
                        table.add_row(MEASURES[row.measure], *cells)
                self._console.print(table)
            self._console.print()
        if any(row.measure == AGREEMENT for row in measures):
            self._console.print(
                "Agreement: the share of right answers in the workbook's mix of labels; the sample has its own mix."
            )

    def _show_differences(self, comparison: Tried) -> None:
        rows = [(index, test) for index, pair in comparison.pairs.items() for test in pair.tests]
        if rows:
            table = _table(
                "", "variable", "labelled", "better by", "p", "p (Holm)", "", title="Differences from A, in the sample"
            )
            for index, test in rows:
                table.add_row(self._letters[index], *_difference_cells(test))
            self._console.print(table)
            if any(test.p_value is not None for _, test in rows):
                self._console.print(_READING)
        for index, pair in comparison.pairs.items():
            letters = {"first": self._letters[0], "other": self._letters[index]}
            reasons = {name: reason for name, reason in pair.not_compared.items() if reason != A_TEXT}
            if reasons:
                named = ", ".join(f"{name} ({reason.format(**letters)})" for name, reason in reasons.items())
                self._console.print(Text(f"Not compared in {letters['other']}: {named}."))

    def _show_differing(self, differing: Sequence[Differing]) -> None:
        if len(self._letters) < 2:
            return
        if not differing:
            self._console.print("\nNo narrative has different values.")
            return
        n = len({(row.incident_id, row.narrative_type) for row in differing})
        about = f"Where they differ: {n:,} narrative{'' if n == 1 else 's'}"
        for start in range(0, len(self._letters), _ABREAST):
            letters = self._letters[start : start + _ABREAST]
            table = _table("incident_id", "type", "variable", "label", *letters, title=about, is_left=True)
            for row in islice(differing, _DIFFERING_SHOWN):
                key = (row.incident_id, row.narrative_type, row.variable, row.label or "-")
                table.add_row(*map(_shown, (*key, *row.values[start : start + _ABREAST])))
            self._console.print(table)
        if len(differing) > _DIFFERING_SHOWN:
            self._console.print(f"… and {len(differing) - _DIFFERING_SHOWN:,} more; --csv FOLDER writes all.")


_READING = (
    "better by: the mean score minus that of A; unless stated otherwise, the score is the share of right answers. "
    "may be chance: were both equally good, one try in twenty, or more, would still show so large a difference among "
    "all that are shown."
)


def narrative_lines(narrative: ShownNarrative, position: str, width: int) -> list[str]:
    """One narrative of `preflight --show`: text, answer, label and reasons, in lines that are no longer than `width`.

    position: the words before its title, such as `3 of 20`; after them the variables with a wrong answer are named.
    """
    wrong = f" (WRONG: {', '.join(narrative.wrong)})" if narrative.wrong else ""
    return as_lines(narrative.row, width, position + wrong)


def agreement_lines(agreements: Sequence[AgreementSoFar]) -> Iterator[str]:
    """How often the answers are right so far, a line for each variable."""
    yield "Agreement with the labels so far, with 95% intervals:"
    longest = max((len(each.variable) for each in agreements), default=0)
    for each in agreements:
        yield f"  {each.variable:{longest}}  {agreement_in_words(each)}"
    yield "These figures are of the narratives shown, among which labels are balanced; in the workbook they are not."


def agreement_in_words(agreement: AgreementSoFar) -> str:
    """Such as `17 of 20 narratives right: 0.85 (0.64 to 0.95)`."""
    if not agreement.n:
        return "no labelled answer"
    return f"{agreement.n_right:,} of {agreement.n:,} {_LEVELS[agreement.level]} right: {rate(agreement.rate)}"


def _difference_cells(test: VariableTest) -> list[str | Text]:
    score = "" if test.score == RIGHT_OR_WRONG else f" ({test.score})"
    level = ", incidents" if test.level == INCIDENT else ""
    return [
        Text(f"{test.variable}{level}{score}"),
        f"{test.n_labelled:,}",
        shown_rate(other_less_first(test)),
        *(_number(None) if chance is None else p_value(chance) for chance in (test.p_value, test.p_holm)),
        "no label" if test.p_value is None else "may be chance" if may_be_chance(test) else "more than chance",
    ]


def _table(*columns: str | Text, title: str = "", is_left: bool = False) -> Table:
    """A table with these columns, whose numbers are aligned to the right; is_left: whether all are words."""
    table = Table(title=f"\n{title}" if title else "", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        is_words = is_left or column in ("", "configuration", "model", "variable") or index == 0
        table.add_column(column, overflow="fold", justify="left" if is_words else "right", no_wrap=not is_words)
    return table


def _shown(text: str) -> Text:
    """A text from outside, without characters that would control the terminal."""
    return Text(plain(text))


def _number(number: float | None, decimals: int = 0) -> str:
    return "-" if number is None else f"{number:,.{decimals}f}"


def _cost(cost: float | None) -> str:
    return "<0.01" if cost is not None and 0 < cost < 0.005 else _number(cost, 2)
