"""The variables of a codebook on the page: an overview, what of each needs work first, and the measures of each.

In: `variables` of metrics.json. Nothing is computed that is not a share of counts that stand there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from narrative_runs.codebook.variables import Variable
from narrative_runs.findings.by_variable.measure import main_measure
from narrative_runs.findings.rounding import percent, shown, telling_decimals
from narrative_runs.findings.suppression import counted
from narrative_runs.report.summary import rate

# A variable needs work where more of its answers than these shares are of no use, or its measure is surely below GOOD.
MOST_ERRORS, MOST_UNCLEAR, MOST_NOT_IN_TEXT, GOOD = 0.02, 0.2, 0.05, 0.8
TITLES = {
    "detection_rate": "Detection rate",
    "labelled_rate": "Share labelled yes",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall (sensitivity)",
    "specificity": "Specificity",
    "f1": "F1",
    "micro_precision": "Micro precision",
    "micro_recall": "Micro recall",
    "micro_f1": "Micro F1",
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "macro_f1": "Macro F1",
    "kappa": "Cohen's kappa",
    "weighted_kappa": "Quadratically weighted kappa",
    "alpha": "Krippendorff's alpha",
    "mcc": "Matthews correlation",
    "jaccard": "Jaccard's index",
    "within_tolerance": "Share within the tolerance",
    "mae": "Mean absolute error",
    "icc": "ICC(A,1)",
    "in_text": "Share of passages in the text",
    "token_f1": "Token F1",
}
_LEVELS = {"narrative": "Narratives", "incident": "Incidents"}
_COUNTS = {"tp": "TP", "fp": "FP", "fn": "FN", "tn": "TN", "n_labelled": "Labelled", "n_answered": "Answered"}
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
    level, measure = _main(of_variable)
    measured = of_variable[level][measure] if level and measure else None
    return VariableFindings(
        name=name,
        type=of_variable["type"],
        definition=variable.definition,
        n_answered=of_variable["n_answered"],
        n_unclear=of_variable["n_unclear"],
        n_not_asked=of_variable["n_not_asked"],
        n_errors=of_variable["n_errors"],
        values=_values(of_variable),
        labelled=f"{counted(of_variable[level]['n'])} {_LEVELS[level].lower()}"
        if level and of_variable[level]["n"]
        else "–",
        measure=f"{TITLES[measure]} {rate(measured)}" if measured and measure else "–",
        needs_work=list(_needs_work(of_variable, measure, measured)),
        levels=[_level(title, of_variable[key]) for key, title in _LEVELS.items() if of_variable[key] is not None],
    )


def _main(of_variable: Mapping[str, Any]) -> tuple[str, str | None]:
    """The level and the name of the measure that stands for a variable; no level where nothing is measured."""
    measure = main_measure(of_variable["type"])
    for level in _LEVELS:
        if measure and of_variable[level] and of_variable[level][measure] is not None:
            return level, measure
    return "", measure


def _needs_work(of_variable: Mapping[str, Any], measure: str | None, measured: Any) -> Iterator[str]:
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
    if measured and measure and measure != "in_text" and measured["high"] < GOOD:
        yield f"{TITLES[measure]} against labels is below {GOOD:g}: {rate(measured)}"


def _values(of_variable: Mapping[str, Any]) -> str:
    """What was answered most often, or on average."""
    spread, answered = of_variable["distribution"], of_variable["n_answered"]
    if not answered:
        return "–"
    if counts := spread.get("counts"):
        value = "yes" if of_variable["type"] == "binary" else max(counts, key=lambda each: counts[each])
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
    confusion = measured.get("confusion")
    if {"tp", "fp", "fn", "tn"} <= set(measured):
        confusion = {
            "values": ["yes", "no"],
            "counts": [[measured["tp"], measured["fn"]], [measured["fp"], measured["tn"]]],
        }
    is_shown = confusion is not None and len(confusion["values"]) <= _WIDEST_MATRIX and measured["n"]
    return Level(
        title,
        f"{counted(measured['n'])} labelled of {counted(measured['n_answered'])} answered",
        rates,
        [(_COUNTS | TITLES)[key] for key in keys],
        {value: [_cell(cells[key]) for key in keys] for value, cells in by_value.items()},
        Matrix(confusion["values"], confusion["counts"]) if confusion and is_shown else None,
    )


def _cell(value: Any) -> str:
    return counted(value) if isinstance(value, int) else rate(value)


def _among(part: int, whole: int, what: str) -> str:
    return f"{counted(part)} of {counted(whole)} {what} ({_share(part, whole)})"


def _share(part: int, whole: int) -> str:
    return percent(part / whole, 1)
