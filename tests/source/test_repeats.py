from pathlib import Path

import pandas as pd
import pytest

from narrative_runs.errors import SourceError
from narrative_runs.source.reading import Reading
from narrative_runs.source.rules import OF_0_1_0
from narrative_runs.source.workbook import read

from .books import LABELLED, LONG, PRODUCTION, Rows, comma_separated, xlsx

SITES: Rows = [[1, 2019, "7", "a", "b"], [2, 2019, "7", "c", "d"], [1, 2020, "7", "e", "f"], [1, 2019, "8", "g", "h"]]
WITH_SITES = ["SiteID", "IncidentYear", *PRODUCTION]


def test_true_repeats_are_dropped(tmp_path: Path) -> None:
    """Rows with the same key, text and label are one, whatever blanks their texts hold."""
    rows: Rows = [["1", "a text", "b", 1, 0, 1], ["1", " a  text\n", "b", 1, 0, 1], ["2", "c", "d", 0, 0, 0]]
    source = read(xlsx(tmp_path / "x.xlsx", LABELLED, rows))
    assert len(source) == 4 and source.quality.repeats.same == 2
    assert source.keys["manual_flag_ind"].tolist() == [1, 0, 0, 0]


def test_raters_who_disagree_leave_no_label(tmp_path: Path) -> None:
    """A repeat with another label is kept once, without label, and listed with its rows."""
    rows: Rows = [["1", "cme", "a", 1], ["2", "cme", "b", 0], ["1", "cme", "a", 0], ["1", "le", "c", 1]]
    source = read(xlsx(tmp_path / "x.xlsx", LONG, rows))
    assert source.keys["manual_flag_ind"].tolist() == [pd.NA, 0, 1]
    repeats = source.quality.as_dict("")["repeats"]
    assert repeats == {
        "same": 0,
        "other_label": 1,
        "other_text": 0,
        "listed": [{"incident_id": "1", "narrative_type": "cme", "rows": [2, 4], "differs": "label"}],
    }


def test_a_blank_is_no_other_label(tmp_path: Path) -> None:
    """Where only one of the repeats has a label, the narrative has it."""
    rows: Rows = [["1", "cme", "a", None], ["1", "cme", "a", 1], ["2", "cme", "b", 0]]
    source = read(xlsx(tmp_path / "x.xlsx", LONG, rows))
    assert source.keys["manual_flag_ind"].tolist() == [1, 0]
    assert (source.quality.repeats.same, source.quality.repeats.other_label) == (1, 0)


def test_another_text_under_one_key_is_refused(tmp_path: Path) -> None:
    """An id over several years or sites is refused with its rows, and the columns that tell them apart are named."""
    with pytest.raises(SourceError) as raised:
        read(xlsx(tmp_path / "x.xlsx", WITH_SITES, SITES))
    message = str(raised.value)
    assert "has 2 keys (incident and narrative type) with more than one text" in message
    assert "  7 cme: rows 2, 3, 4" in message
    assert "data.id: [SiteID, IncidentYear, IncidentID]" in message
    source = read(tmp_path / "x.xlsx", Reading(id_columns=("SiteID", "IncidentYear", "IncidentID")))
    assert list(dict.fromkeys(source.keys["incident_id"])) == ["1/2019/7", "2/2019/7", "1/2020/7", "1/2019/8"]


def test_data_id_is_named_where_no_column_helps(tmp_path: Path) -> None:
    """Where no other column tells the rows apart, `data.id` is named all the same."""
    with pytest.raises(SourceError, match=r"such as\n  data.id: \["):
        read(xlsx(tmp_path / "x.xlsx", PRODUCTION, [["7", "a", None], ["7", "b", None]]))


def test_the_first_release_kept_the_first(tmp_path: Path) -> None:
    """An experiment of the first release keeps the first of several texts, and is warned."""
    source = read(xlsx(tmp_path / "x.xlsx", WITH_SITES, SITES), Reading(OF_0_1_0))
    assert source.with_texts()["narrative_text"].tolist() == ["a", "b", "g", "h"]
    assert "more than one text" in source.quality.warnings[0]


def test_a_key_with_a_blank_part_is_none(tmp_path: Path) -> None:
    """A row that lacks a part of its key is left out and counted, as one without an id is."""
    rows: Rows = [[1, 2019, "7", "a", "b"], [1, None, "7", "c", None]]
    source = read(xlsx(tmp_path / "x.xlsx", WITH_SITES, rows), Reading(id_columns=("IncidentYear", "IncidentID")))
    assert len(source) == 2 and source.quality.without_id.rows == [3]


def test_csv_ids_of_two_forms_are_one(tmp_path: Path) -> None:
    """`2999.0` and `2999` in a CSV file are the same incident, so that a repeat is found."""
    path = comma_separated(tmp_path / "x.csv", PRODUCTION, [["2999.0", "a", None], ["2999", "a", None]])
    assert read(path).quality.repeats.same == 1
