"""Where the answers of a codebook's variables disagree with their labels: a sheet of results.xlsx for each variable.

A sheet lists the narratives whose own label the answer contradicts and, where the incident's value contradicts the
incident's label, all narratives of the incident. Passages cannot be compared exactly: their sheet lists the
narratives with passages that are not in the text. Texts have no sheet, nor has a variable of which nothing could be
compared.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from narrative_runs.codebook.result_columns import columns_by_variable
from narrative_runs.codebook.variables import (
    Codebook,
    Listed,
    Multi,
    Quote,
    Variable,
    not_in_text_column,
    probability_column,
)
from narrative_runs.findings.by_variable.coding import Coded, Codes
from narrative_runs.findings.by_variable.outcomes import FALSE_NEGATIVE, FALSE_POSITIVE, WRONG, outcomes
from narrative_runs.findings.by_variable.units import Units, VariableLabels, units_of
from narrative_runs.findings.sheet_rows import Row
from narrative_runs.findings.sheets import Sheet

# Rows of a sheet for each outcome that disagrees: 50 variables would else have the same long texts hundreds of
# thousands of times.
MOST = 1_000
_DISAGREEING = (FALSE_POSITIVE, FALSE_NEGATIVE, WRONG)
_WITH_PASSAGES = "with passages"
_IN_WORDS = {
    FALSE_POSITIVE: "false positives",
    FALSE_NEGATIVE: "false negatives",
    WRONG: "wrong answers",
    _WITH_PASSAGES: "narratives",
}
# "Excel specifications and limits": characters of a sheet's title; and a title that Excel keeps for itself.
_LONGEST_TITLE = 31
_TITLES_OF_EXCEL = ("history",)
_KEYS = ("row_num", "incident_id", "narrative_type")
_COMPARED = ("incident_label", "incident_answer", "outcome", "incident_outcome")
_TEXT = "narrative_text"
_VALUE_WIDTH, _PASSAGES_WIDTH = 24, 60


@dataclass(frozen=True)
class Disagreements:
    """The narratives that the sheet of one variable lists, in its order.

    columns: of the sheet, in their order; cells: those that the table of results has not, or not as they are compared,
    by column; note: what the sheet leaves out, in words, empty where it lists all.
    """

    variable: str
    row_nums: Sequence[int]
    columns: Sequence[str]
    cells: Mapping[str, Sequence[Any]]
    note: str


def disagreements_by_variable(
    results: pd.DataFrame, codebook: Codebook, labels: Mapping[str, VariableLabels], unasked: Collection[str] = ()
) -> list[Disagreements]:
    """What the sheet of each variable lists, in the order of the codebook; nothing where the record has a column for
    each variable.

    In: finished results, one row a narrative in the order of `row_num`; the labels of those variables that have any, by
    the same index; incidents with a narrative that the limit left out.
    Out: false positives first, then false negatives, each in the order of `row_num`. A narrative that is listed for its
    incident alone stands where the incident's outcome has it. Values are logicals, numbers or texts, of several values
    JSON lists, as in the results.
    """
    if codebook.fits_the_record:
        return []
    narratives, incidents = units_of(results, codebook, labels, unasked)
    listed: list[Disagreements] = []
    for name, variable in codebook.variables.items():
        of_narratives, of_incidents = narratives[name], incidents[name]
        if isinstance(variable, Quote):
            listed.append(_not_in_text(results, name))
        elif name in labels and (of_narratives.is_compared.any() or of_incidents.is_compared.any()):
            listed.append(_disagreeing(results, codebook, name, of_narratives, of_incidents))
    return listed


def disagreement_sheets(listed: Sequence[Disagreements], table: pa.Table, taken: Collection[str]) -> list[Sheet]:
    """The sheets of the listed narratives; table: the results with their texts, from which rows are taken only as they
    are written; taken: titles that the workbook has already."""
    titles = titles_of([each.variable for each in listed], taken)
    return [
        Sheet(title, each.columns, _rows(each, table), len(each.row_nums), widths=_widths(each))
        for title, each in zip(titles, listed, strict=True)
    ]


def titles_of(variables: Sequence[str], taken: Collection[str]) -> list[str]:
    """The titles of the sheets of variables, in their order: their names, as far as Excel allows.

    A name of more than 31 characters is cut, and one that is a title already, in whatever case, gets a number; no title
    is then another variable's name.
    """
    used = {title.casefold() for title in (*taken, *_TITLES_OF_EXCEL)}
    kept = {name for name in variables if len(name) <= _LONGEST_TITLE and name not in used}
    return [name if name in kept else _another_title(name, used | kept, used) for name in variables]


def _another_title(name: str, taken: Collection[str], used: set[str]) -> str:
    title, number = name[:_LONGEST_TITLE], 2
    while title in taken:
        ending = f"_{number}"
        title, number = name[: _LONGEST_TITLE - len(ending)] + ending, number + 1
    used.add(title)
    return title


def _disagreeing(
    results: pd.DataFrame, codebook: Codebook, name: str, of_narratives: Units, of_incidents: Units
) -> Disagreements:
    variable, incident = codebook.variables[name], of_narratives.incident
    outcome = outcomes(variable, of_narratives).to_numpy(object)
    incident_outcome = outcomes(variable, of_incidents).to_numpy(object)[incident]
    is_own = np.logical_or.reduce([outcome == word for word in _DISAGREEING])
    listed_as = np.where(is_own, outcome, incident_outcome)
    rows, note = _first_rows({word: np.flatnonzero(listed_as == word) for word in _DISAGREEING})
    # A variable may be called as a column of ours is.
    answer = "answer" if name in ("label", *_COMPARED) else name
    (confidence,) = [each.confidence for each in columns_by_variable(codebook) if each.variable == name]
    probability = probability_column(name) if probability_column(name) in results else ""
    return Disagreements(
        name,
        results["row_num"].iloc[rows].tolist(),
        [*_KEYS, "label", answer, *filter(None, (confidence, probability)), *_COMPARED, _TEXT],
        {
            "label": _cells(variable, of_narratives.label.at(rows)),
            answer: _cells(variable, of_narratives.answer.at(rows)),
            "incident_label": _cells(variable, of_incidents.label.at(incident[rows])),
            "incident_answer": _cells(variable, of_incidents.answer.at(incident[rows])),
            "outcome": outcome[rows].tolist(),
            "incident_outcome": incident_outcome[rows].tolist(),
        },
        note,
    )


def _not_in_text(results: pd.DataFrame, name: str) -> Disagreements:
    column = not_in_text_column(name)
    passages = results[column].fillna("[]")
    rows, note = _first_rows({_WITH_PASSAGES: np.flatnonzero(passages != "[]")})
    row_nums = results["row_num"].iloc[rows].tolist()
    return Disagreements(name, row_nums, [*_KEYS, column, _TEXT], {column: passages.iloc[rows].tolist()}, note)


def _first_rows(by_outcome: Mapping[str, Codes]) -> tuple[Codes, str]:
    """The first rows of each outcome, one outcome after the other, and of which there are more, in words."""
    first = np.concatenate([rows[:MOST] for rows in by_outcome.values()])
    cut = [f"{MOST:,} of {len(rows):,} {_IN_WORDS[word]}" for word, rows in by_outcome.items() if len(rows) > MOST]
    return first, f"… [cut: the first {' and '.join(cut)}; see results.parquet]" if cut else ""


def _cells(variable: Variable, known: Coded) -> list[Any]:
    """Values as cells of a sheet; None where there is none."""
    values: list[Any] = known.values.tolist()
    if isinstance(variable, Multi):
        names = np.array(variable.value_names, dtype=object)
        values = [json.dumps(names[row].tolist(), ensure_ascii=False) for row in known.values]
    elif isinstance(variable, Listed):
        values = [variable.value_names[index] for index in values]
    return [value if is_given else None for value, is_given in zip(values, known.is_given, strict=True)]


def _rows(each: Disagreements, table: pa.Table) -> Iterator[Row]:
    """The rows of a sheet, and behind them what it leaves out."""
    names = [name for name in each.columns if name not in each.cells]
    taken = table.select(names).take(pc.index_in(pa.array(each.row_nums, pa.int64()), table["row_num"]))
    cells = {**each.cells, **{name: taken[name].to_pylist() for name in names}}
    yield from zip(*(cells[name] for name in each.columns), strict=True)
    if each.note:
        yield (*[None] * (len(each.columns) - 1), each.note)


def _widths(each: Disagreements) -> dict[str, int]:
    is_of_passages = list(each.cells) == [not_in_text_column(each.variable)]
    of_values = [name for name in each.cells if not name.endswith("outcome")]
    return dict.fromkeys(of_values, _PASSAGES_WIDTH if is_of_passages else _VALUE_WIDTH)
