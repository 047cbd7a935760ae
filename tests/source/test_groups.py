from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrative_runs.errors import FindingsError
from narrative_runs.source.groups import BLANK, MOST_GROUPS, all_groups, read_groups


def other_columns(path: Path, **columns: list[Any]) -> Path:
    """A file of other columns, a row a narrative."""
    numbers = list(range(1, 1 + len(next(iter(columns.values())))))
    pq.write_table(pa.table({"row_num": numbers, **columns}), path / "other_columns.parquet")
    return path / "other_columns.parquet"


def test_groups_are_texts_as_the_results_have_them(tmp_path: Path) -> None:
    """Numbers, logicals and blank cells make groups that a person recognises; the case of a column's name does not
    matter, nor whether it stands under another name in the results."""
    path = other_columns(
        tmp_path,
        Year=[2019.0, 2020.5, None],
        Veteran=[True, False, None],
        workbook_detected=[" yes ", "", None],
    )
    grouped = read_groups(path, ["year", "Veteran", "detected"])
    assert grouped.to_pydict() == {
        "row_num": [1, 2, 3],
        "Year": ["2019", "2020.5", BLANK],
        "Veteran": ["TRUE", "FALSE", BLANK],
        "workbook_detected": ["yes", BLANK, BLANK],
    }


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    """A mistyped column ends in a message with all columns to choose from."""
    with pytest.raises(
        FindingsError, match=r"names Sexx, and the workbook has no such column\. There are: Sex, Year\."
    ):
        read_groups(other_columns(tmp_path, Sex=["F"], Year=[2019]), ["Sexx"])


def test_a_column_of_too_many_values_is_refused(tmp_path: Path) -> None:
    """Ages or ids are no groups: no table of hundreds of them is made."""
    ages = list(range(MOST_GROUPS + 1))
    with pytest.raises(FindingsError, match=rf"Age, which has {MOST_GROUPS + 1} different values"):
        read_groups(other_columns(tmp_path, Age=ages), ["Age"])


def test_all_columns_of_few_values_are_groups(tmp_path: Path) -> None:
    """Whatever the params ask for, each column that could be a group is there, as `read_groups` has it; one of too many
    values is left out, and so is a file that is not there."""
    years = [2019.0, 2020.5, None] * 100
    path = other_columns(tmp_path, Year=years, Name=[f"N {number}" for number in range(300)], Same=["x"] * 300)
    found = all_groups(path)
    assert list(found) == ["Year", "Same"]
    assert {name: list(groups) for name, groups in found.items()} == {
        name: read_groups(path, [name])[name].to_pylist() for name in ("Year", "Same")
    }
    assert found["Year"][:2] == ["2019", "2020.5"] and len(found["Year"]) == 300
    assert all_groups(tmp_path / "nowhere.parquet") == {}


def test_groups_of_several_parts_of_a_file(tmp_path: Path) -> None:
    """A large file has its rows in parts, each with groups that others may lack."""
    path = tmp_path / "other_columns.parquet"
    cells = [None, "a", "a", "b", None, "c", "a"]
    pq.write_table(pa.table({"row_num": range(7), "Sex": cells}), path, row_group_size=2)
    assert list(all_groups(path)["Sex"]) == [BLANK, "a", "a", "b", BLANK, "c", "a"]
    ages = list(range(MOST_GROUPS + 1))
    pq.write_table(pa.table({"row_num": ages, "Age": ages}), path, row_group_size=10)
    assert all_groups(path) == {}
