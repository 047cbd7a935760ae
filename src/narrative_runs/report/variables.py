"""The variables of a codebook on the page: an overview, what of each needs work first, and the measures of each.

In: `variables` of metrics.json. Nothing is computed that is not a share of counts that stand there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from narrative_runs.codebook.variables import NO, YES, Variable
from narrative_runs.findings.by_variable.measure import MainRate, main_rate
from narrative_runs.findings.rounding import percent, shown, telling_decimals
from narrative_runs.findings.suppression import counted
from narrative_runs.report.measures import TITLES
from narrative_runs.report.summary import rate

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


class Matrix(NamedTuple):
    """A confusion matrix: the values, and for each label how often each of them was answered."""

    values: Sequence[str]
    counts: Sequence[Sequence[int]]


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
    and its levels."""

    name: str
    type: str
    definition: str
    n_answered: int
    n_unclear: int
    n_not_asked: int
    n_errors: int
    values: str
    labelled: str
    measure: str
    needs_work: list[str]
    levels: list[Level]


def variable_findings(
    measured: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Variable]
) -> list[VariableFindings]:
    """What the page tells of each variable, in the order of the codebook."""
    return [_findings(name, measured[name], variable) for name, variable in variables.items() if name in measured]


def work_first(found: Sequence[VariableFindings]) -> list[VariableFindings]:
    """The variables that need work, those with most reasons first, and else in the order of the codebook."""
    return sorted((each for each in found if each.needs_work), key=lambda each: -len(each.needs_work))


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
    )


def _needs_work(of_variable: Mapping[str, Any], main: MainRate | None) -> Iterator[str]:
    asked = of_variable["n_answered"] + of_variable["n_unclear"] + of_variable["n_errors"]
    for count, most, words in (
        ("n_errors", MOST_ERRORS, "could not be read"),
        ("n_unclear", MOST_UNCLEAR, "are unclear: is the definition clear, and does the text tell?"),
    ):
        if asked and of_variable[count] / asked > most:
            yield f"{_among(of_variable[count], asked, 'answers')} {words}"
    strangers, answered = of_variable.get("n_with_passages_not_in_text", 0), of_variable["n_answered"]
    if answered and strangers / answered > MOST_NOT_IN_TEXT:
        yield f"{_among(strangers, answered, 'narratives')} have a passage that does not stand in the text"
    # That passages stand in the text has a reason of its own.
    if main and main.measure != "in_text" and main.rate["high"] < GOOD:
        yield f"{TITLES[main.measure]} against labels is below {GOOD:g}: {rate(main.rate)}"


def _values(of_variable: Mapping[str, Any]) -> str:
    """What was answered most often, or on average."""
    spread, answered = of_variable["distribution"], of_variable["n_answered"]
    if not answered:
        return "–"
    if counts := spread.get("counts"):
        value = YES if of_variable["type"] == "binary" else max(counts, key=lambda each: counts[each])
        return f"{value}: {_share(counts[value], answered)}"
    if spread.get("mean") is not None:
        numbers = (shown(spread[name], telling_decimals(spread[name])) for name in ("median", "min", "max"))
        return "median {} ({} to {})".format(*numbers)
    if "n_passages" in spread:
        return f"{counted(spread['n_passages'])} passages"
    return f"empty: {_share(spread.get('n_empty', 0), answered)}"


def _level(title: str, measured: Mapping[str, Any]) -> Level:
    rates = {TITLES[key]: rate(value) for key, value in measured.items() if key in TITLES}
    by_value: Mapping[str, Mapping[str, Any]] = measured.get("by_value", {})
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
    elif "confusion" in measured:
        matrix = Matrix(**measured["confusion"])
    return matrix if matrix and measured["n"] and len(matrix.values) <= _WIDEST_MATRIX else None


def _cell(value: Any) -> str:
    return counted(value) if isinstance(value, int) else rate(value)


def _among(part: int, whole: int, what: str) -> str:
    return f"{counted(part)} of {counted(whole)} {what} ({_share(part, whole)})"


def _share(part: int, whole: int) -> str:
    return percent(part / whole, 1)
