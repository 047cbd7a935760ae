from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import SourceError
from narrative_runs.source.other_columns import OtherColumns
from narrative_runs.source.reading import reading_of
from narrative_runs.source.variable_labels import LabelsOfVariable, check_labels, labels_by_variable
from narrative_runs.source.workbook import read

from .books import LONG, Rows, xlsx

LABELS = ("manual_flag_ind", "manual_flag")

TYPES = ("cme", "le")
CODEBOOK = Codebook.model_validate(
    {
        "variables": {
            "detected": {"type": "binary", "label": "manual_flag_ind"},
            "weapon": {"type": "category", "values": ["firearm", "poison"], "label": "Weapon Type"},
            "age": {"type": "number", "label": {"cme": "AgeCME", "le": "AgeLE"}},
            "summary": {"type": "text"},
        }
    }
)
ROWS: list[dict[str, Any]] = [
    {"Weapon Type": "Firearm", "AgeCME": 34, "AgeLE": "35"},
    {"Weapon Type": " POISON ", "AgeLE": 40.0},
    {},
]
NAMES = ["Weapon Type", "AgeCME", "AgeLE", "Sex"]


def test_labels_that_fit_are_no_problem() -> None:
    """Columns that are there and hold labels of their variables, however they are written, or blanks, are all right."""
    check_labels(CODEBOOK, TYPES, NAMES, ROWS)


def test_a_column_that_is_not_there_is_named() -> None:
    """Each column of labels that the workbook has not is named with its variable, and those that there are."""
    with pytest.raises(SourceError) as refused:
        check_labels(CODEBOOK, TYPES, ["Sex", "AgeLE"], [])
    message = str(refused.value)
    assert "codebook.variables.weapon.label: the workbook has no column 'Weapon Type'" in message
    assert "'AgeCME'" in message and "'AgeLE'" not in message and "It has: Sex, AgeLE." in message


def test_cells_that_are_no_labels_are_counted_with_examples() -> None:
    """What is none of the values is shown with its counts, the most frequent first."""
    rows = [{"Weapon Type": value} for value in ["gun"] * 3 + ["rope", "firearm"]]
    with pytest.raises(SourceError) as refused:
        check_labels(CODEBOOK, TYPES, NAMES, rows)
    assert "column Weapon Type has 4 cells that are no label of it: 'gun' (3), 'rope' (1)" in str(refused.value)


def test_each_narrative_has_the_labels_of_its_row(tmp_path: Path) -> None:
    """A label is that of the narrative's row, in the column of its type where there is one; as text."""
    others = OtherColumns(tmp_path)
    numbers = [others.add(NAMES, [row.get(name) for name in NAMES]) for row in ROWS for _ in TYPES]
    path = tmp_path / "other_columns.parquet"
    others.write(numbers, None, ["weapon"], path)
    narratives = [
        (row_num, f"i{(row_num + 1) // 2}", TYPES[(row_num - 1) % 2], [1, 0, None][row_num % 3])
        for row_num in range(1, 7)
    ]
    labels = labels_by_variable(path, CODEBOOK, narratives, is_long=False)
    assert list(labels) == ["detected", "weapon", "age"]
    assert labels["detected"] == LabelsOfVariable([False, None, True, False, None, True], None, True)
    weapons = ["firearm", "firearm", "poison", "poison", None, None]
    of_incidents = {"i1": "firearm", "i2": "poison", "i3": None}
    assert labels["weapon"] == LabelsOfVariable(weapons, of_incidents, False)
    assert labels["age"] == LabelsOfVariable([34.0, 35.0, None, 40.0, None, None], None, True)
    assert labels_by_variable(path, CODEBOOK, narratives, True)["weapon"] == LabelsOfVariable(weapons, None, True)
    some = labels_by_variable(path, CODEBOOK, narratives[::-2], is_long=False)
    assert (some["age"].of_rows, some["weapon"].of_rows) == ([None, 40.0, 35.0], [None, "poison", "firearm"])


WIDE = ["IncidentID", "NarrativeCME", "NarrativeLE", "ipv_manualCME", "ipv_manualLE", "ipv_manual", "Told", "ToldLE"]
WIDE_ROWS: Rows = [["a", "text one", "text two", 1, 1, 1, 0, "no"], ["b", "text three", "text four", 1, 1, 1, 1, "yes"]]


def read_with(path: Path, header: Sequence[str], rows: Rows, label: object) -> tuple[list[Any], list[Any], list[str]]:
    """The labels of the narratives, those of the incidents, and the columns that ride along, with this label of the
    first binary variable."""
    codebook = Codebook.model_validate({"variables": {"told": {"type": "binary", "label": label}}})
    source = read(xlsx(path / "x.xlsx", header, rows), reading_of({}, codebook=codebook))
    own, incident = (
        source.keys[name].astype(object).where(source.keys[name].notna(), None).tolist() for name in LABELS
    )
    return own, incident, source.others.names


@pytest.mark.slow
def test_the_first_binary_variable_says_which_labels_count(tmp_path: Path) -> None:
    """One column of a workbook with two narratives a row has the labels of incidents, columns by type those of
    narratives; the layout's own labels then are columns like others, and count for nothing."""
    own, incident, others = read_with(tmp_path, WIDE, WIDE_ROWS, "Told")
    assert (own, incident) == ([None] * 4, [0, 0, 1, 1])
    assert {"ipv_manual", "Told"} <= set(others)
    own, incident, _ = read_with(tmp_path, WIDE, WIDE_ROWS, {"cme": "Told", "le": "ToldLE"})
    assert own == [0, 0, 1, 1] and incident == [None] * 4
    own, incident, others = read_with(tmp_path, WIDE, WIDE_ROWS, None)
    assert own == incident == [None] * 4 and "ipv_manualCME" in others
    own, incident, others = read_with(tmp_path, WIDE, WIDE_ROWS, "manual_flag_ind")
    assert own == incident == [1] * 4 and others == ["Told", "ToldLE"]


def test_a_column_of_a_row_a_narrative_has_its_own_labels(tmp_path: Path) -> None:
    """Where a row is a narrative, the column that a variable names has the narrative's own label."""
    rows: Rows = [["a", "cme", "text one", 1, "no"], ["a", "le", "text two", 1, "yes"]]
    own, _, others = read_with(tmp_path, [*LONG, "Told"], rows, "Told")
    assert own == [0, 1] and set(others) == {"manual_flag_ind", "Told"}
