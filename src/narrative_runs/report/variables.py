"""The variables of a codebook on the page: an overview, which need work first, and the measures of each.

In: `variables` of metrics.json. The only numbers computed are shares of counts given there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from narrative_runs.codebook.variables import NO, YES, Variable, not_in_text_column
from narrative_runs.findings.by_variable.main_measure import MainRate, main_rate
from narrative_runs.findings.rounding import percent
from narrative_runs.findings.suppression import MASKED, counted
from narrative_runs.report.cells import Table, number, rate
from narrative_runs.report.measures import TITLES
from narrative_runs.report.variable_calibration import calibration_tables
from narrative_runs.report.variable_groups import group_tables, group_warnings

# A variable needs work where more of its answers than these shares are of no use, or its measure is surely below GOOD.
MOST_ERRORS, MOST_UNCLEAR, MOST_NOT_IN_TEXT, GOOD = 0.02, 0.2, 0.05, 0.8
_LEVELS = {"narrative": "Narratives", "incident": "Incidents"}
_COLUMNS = TITLES | {
    "tp": "TP",
    "fp": "FP",
    "fn": "FN",
    "tn": "TN",
    "n_labelled": "Labelled",
    "n_answered": "Answered",
}
_WIDEST_MATRIX = 25
Count = int | str


class Matrix(NamedTuple):
    """A confusion matrix: the values, and for each label how often each of them was answered."""

    values: Sequence[str]
    counts: Sequence[Sequence[Count]]


class Level(NamedTuple):
    """The measures of a variable over narratives, or over incidents, in words.

    rates: by title; by_value: of each value its cells under the titles `columns`; matrix: None where the type has none,
    or it is too wide to be read.
    """

    title: str
    n: str
    rates: dict[str, str]
    columns: list[str]
    by_value: dict[str, list[str]]
    matrix: Matrix | None


class VariableFindings(NamedTuple):
    """One variable: what was answered, in words; the measure that stands for its type; what needs work, in sentences;
    its levels and groups; passages that are not in the text, in a sentence; and whether its probabilities can be
    believed."""

    name: str
    type: str
    definition: str
    n_answered: Count
    n_unclear: Count
    n_not_asked: Count
    n_errors: Count
    values: str
    labelled: str
    measure: str
    needs_work: list[str]
    levels: list[Level]
    groups: list[Table]
    warnings: list[str]
    not_in_text: str
    calibration: list[Table]


def variable_findings(
    measured: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Variable]
) -> list[VariableFindings]:
    """What the page says about each variable, in the order of the codebook."""
    return [_findings(name, measured[name], variable) for name, variable in variables.items() if name in measured]


def work_first(findings: Sequence[VariableFindings]) -> list[VariableFindings]:
    """The variables that need work, those with most reasons first, and else in the order of the codebook."""
    return sorted((each for each in findings if each.needs_work), key=lambda each: -len(each.needs_work))


def _findings(name: str, of_variable: Mapping[str, Any], variable: Variable) -> VariableFindings:
    main = main_rate(of_variable)
    n_labelled = of_variable[main.level]["n"] if main else 0
    return VariableFindings(
        name=name,
        type=of_variable["type"],
        definition=variable.definition,
        n_answered=of_variable["n_answered"],
        n_unclear=of_variable["n_unclear"],
        n_not_asked=of_variable["n_not_asked"],
        n_errors=of_variable["n_errors"],
        values=_values(of_variable),
        labelled=f"{counted(n_labelled)} {_LEVELS[main.level].lower()}" if main and n_labelled else "–",
        measure=f"{TITLES[main.measure]} {rate(main.rate)}" if main else "–",
        needs_work=list(_needs_work(of_variable, main)),
        levels=[_level(title, of_variable[key]) for key, title in _LEVELS.items() if of_variable[key] is not None],
        groups=group_tables(of_variable),
        warnings=group_warnings(name, of_variable),
        not_in_text=_not_in_text(name, of_variable),
        calibration=calibration_tables(name, of_variable),
    )


def _needs_work(of_variable: Mapping[str, Any], main: MainRate | None) -> Iterator[str]:
    parts = [of_variable[count] for count in ("n_answered", "n_unclear", "n_errors")]
    asked = MASKED if MASKED in parts else sum(parts)
    for count, most, words in (
        ("n_errors", MOST_ERRORS, "could not be read"),
        ("n_unclear", MOST_UNCLEAR, "are unclear: is the definition clear, and does the text tell?"),
    ):
        if _exceeds(of_variable[count], asked, most):
            yield f"{_among(of_variable[count], asked, 'answers')} {words}"
    strangers, answered = of_variable.get("n_with_passages_not_in_text", 0), of_variable["n_answered"]
    if _exceeds(strangers, answered, MOST_NOT_IN_TEXT):
        yield f"{_among(strangers, answered, 'narratives')} have a passage that does not stand in the text"
    # That passages stand in the text has a reason of its own.
    if main and main.measure != "in_text" and isinstance(main.rate, dict) and main.rate["high"] < GOOD:
        yield f"{TITLES[main.measure]} against labels is below {GOOD:g}: {rate(main.rate)}"


def _not_in_text(name: str, of_variable: Mapping[str, Any]) -> str:
    """How many narratives have passages that are not in the text, and where these are; empty for other types."""
    if "n_with_passages_not_in_text" not in of_variable:
        return ""
    strangers, answered = of_variable["n_with_passages_not_in_text"], of_variable["n_answered"]
    if not strangers:
        return "All passages stand in the text." if answered else ""
    shown = MASKED if MASKED in (strangers, answered) else _among(strangers, answered, "answered")
    return (
        f"Narratives with a passage that does not stand in the text: {shown}. The "
        f"column `{not_in_text_column(name)}` of `results.xlsx` and its other files has all of these passages."
    )


def _values(of_variable: Mapping[str, Any]) -> str:
    """The most frequent answer, or the average one."""
    spread, answered = of_variable["distribution"], of_variable["n_answered"]
    if not answered:
        return "–"
    if spread == MASKED or MASKED in (answered, *spread.values(), *_counts(spread)):
        return MASKED
    if counts := spread.get("counts"):
        value = YES if of_variable["type"] == "binary" else max(counts, key=lambda each: counts[each])
        return f"{value}: {_share(counts[value], answered)}"
    if spread.get("mean") is not None:
        return "median {} ({} to {})".format(*(number(spread[name]) for name in ("median", "min", "max")))
    if "n_passages" in spread:
        return f"{counted(spread['n_passages'])} passages"
    return f"empty: {_share(spread.get('n_empty', 0), answered)}"


def _counts(spread: Mapping[str, Any]) -> list[Count]:
    counts = spread.get("counts", {})
    return [] if counts == MASKED else list(counts.values())


def _level(title: str, measured: Mapping[str, Any]) -> Level:
    rates = {TITLES[key]: rate(value) for key, value in measured.items() if key in TITLES}
    tables = {"by_value": "Each value by itself", "confusion": "Confusion matrix"}
    rates |= {words: MASKED for key, words in tables.items() if measured.get(key) == MASKED}
    by_value: Mapping[str, Mapping[str, Any]] = (
        measured["by_value"] if isinstance(measured.get("by_value"), dict) else {}
    )
    keys = list(next(iter(by_value.values()), {}))
    return Level(
        title,
        f"{counted(measured['n'])} labelled of {counted(measured['n_answered'])} answered",
        rates,
        [_COLUMNS[key] for key in keys],
        {value: [_cell(cells[key]) for key in keys] for value, cells in by_value.items()},
        _matrix(measured),
    )


def _matrix(measured: Mapping[str, Any]) -> Matrix | None:
    matrix = None
    if "tp" in measured:
        matrix = Matrix([YES, NO], [[measured["tp"], measured["fn"]], [measured["fp"], measured["tn"]]])
    elif measured.get("confusion", MASKED) != MASKED:
        matrix = Matrix(**measured["confusion"])
    return matrix if matrix and measured["n"] and len(matrix.values) <= _WIDEST_MATRIX else None


def _cell(value: Any) -> str:
    return counted(value) if isinstance(value, int) else rate(value)


def _exceeds(part: Count, whole: Count, most: float) -> bool:
    """Whether a part is more than this share of the whole, as far as both are shown."""
    return isinstance(part, int) and isinstance(whole, int) and whole > 0 and part / whole > most


def _among(part: Count, whole: Count, what: str) -> str:
    return f"{counted(part)} of {counted(whole)} {what} ({_share(part, whole)})"


def _share(part: Count, whole: Count) -> str:
    return percent(part / whole, 1) if isinstance(part, int) and isinstance(whole, int) else MASKED
