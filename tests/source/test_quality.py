import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from narrative_runs.source.quality import DataQuality
from narrative_runs.source.summary import summary_lines
from narrative_runs.source.workbook import read

from .books import LABELLED, PRODUCTION, Rows, xlsx


def mixed(path: Path) -> DataQuality:
    """The quality of a workbook in which everything that is counted occurs."""
    rows: Rows = [
        ["1", "secret one", "secret", 1, 0, 1],
        ["2", "secret three", " ", 0, None, 0],
        ["1", "secret one", "secret", 1, 0, 1],
        [None, "secret lost", None, None, None, None],
        ["3", None, "secret four", None, "maybe", 1],
    ]
    return read(xlsx(path / "x.xlsx", LABELLED, rows)).quality


def test_everything_is_counted(tmp_path: Path) -> None:
    """data_quality.json holds file, checksum, layout, sheet, and each count in total and by type."""
    assert mixed(tmp_path).as_dict("0123") == {
        "file": "x.xlsx",
        "md5": "0123",
        "layout": "labelled",
        "sheet": "Narratives",
        "sheets_unread": [],
        "columns_unread": [],
        "rows_read": 5,
        "rows_empty": 0,
        "narratives": {"total": 4, "cme": 2, "le": 2},
        "labelled": {"total": 3, "cme": 2, "le": 1},
        "positive": {"total": 1, "cme": 1, "le": 0},
        "labelled_incidents": {"total": 3, "positive": 2},
        "blanks_skipped": {"total": 3, "cme": 1, "le": 2},
        "blank_labels": {"total": 0, "positive": 0, "listed": []},
        "duplicates_dropped": {"total": 2, "ids": [["1", "cme"], ["1", "le"]]},
        "repeats": {"same": 2, "other_label": 0, "other_text": 0, "listed": []},
        "without_id": {"total": 1, "rows": [5]},
        "odd_labels": {
            "total": 1,
            "examples": [
                {
                    "row": 6,
                    "column": "ipv_manualLE",
                    "value": "maybe",
                    "problem": "neither 0 nor 1: taken as no label",
                }
            ],
        },
        "unreadable_cells": [
            {"column": "ipv_manualLE", "problem": "labels that cannot be read", "total": 1, "cells": ["E6"]}
        ],
        "placeholders": {"handling": "ask", "total": 0, "cme": 0, "le": 0, "examples": []},
        "short_texts": {"total": 4, "cells": ["B2", "C2", "B3", "C6"]},
        "repeated_texts": {"total": 0, "examples": []},
        "probably_cut": {"total": 0, "cells": []},
        "longest": [
            {"incident_id": "2", "narrative_type": "cme", "characters": 12},
            {"incident_id": "3", "narrative_type": "le", "characters": 11},
            {"incident_id": "1", "narrative_type": "cme", "characters": 10},
            {"incident_id": "1", "narrative_type": "le", "characters": 6},
        ],
    }


def test_quality_is_json_without_any_narrative(tmp_path: Path) -> None:
    """The counts go through JSON unchanged; neither they nor the lines on the screen hold a narrative."""
    quality = mixed(tmp_path)
    written = json.dumps(quality.as_dict("0123"), allow_nan=False)
    assert json.loads(written) == quality.as_dict("0123")
    assert "secret" not in written + "".join(summary_lines(quality))


def test_skipped_are_blanks_and_duplicates(tmp_path: Path) -> None:
    """The number of skipped narratives is that of blanks and duplicates together."""
    assert mixed(tmp_path).skipped == 5


def test_screen_shows_all_that_was_left_out(tmp_path: Path) -> None:
    """The lines on the screen name each thing that was left out or is odd, with ids and rows to look for."""
    assert summary_lines(mixed(tmp_path)) == [
        "Sheet 'Narratives' of x.xlsx",
        "5 rows, 4 narratives (2 CME, 2 LE); 3 blank narratives skipped; 2 duplicates dropped",
        "3 of them labelled, 1 positive",
        "Dropped (the first was kept): 1 cme, 1 le",
        "1 narratives left out because they have no id (rows 5)",
        "1 odd labels: row 6 ipv_manualLE 'maybe'",
        "WARNING: ipv_manualLE: 1 labels that cannot be read, taken as blank: E6",
        "4 very short texts: B2, C2, B3, C6",
    ]


def test_clean_workbook_has_few_lines(tmp_path: Path) -> None:
    """Where nothing wants attention, the lines say what was read, the zeros included, and that nothing is labelled."""
    quality = read(xlsx(tmp_path / "x.xlsx", PRODUCTION, [["1", "a" * 20, "b" * 20]])).quality
    assert summary_lines(quality) == [
        "Sheet 'Narratives' of x.xlsx",
        "1 rows, 2 narratives (1 CME, 1 LE); 0 blank narratives skipped; 0 duplicates dropped",
        "No labels were found, so nothing will be measured against them.",
    ]


def test_labels_under_another_name_are_noticed(tmp_path: Path) -> None:
    """Columns of no layout are named: they may be the labels, misspelt."""
    header = [*PRODUCTION, "ipv_CME", "ipv_LE"]
    quality = read(xlsx(tmp_path / "x.xlsx", header, [["1", "a" * 20, "b" * 20, 1, 0]])).quality
    assert quality.as_dict("0123")["columns_unread"] == ["ipv_CME", "ipv_LE"]
    assert summary_lines(quality)[-2:] == [
        "No labels were found, so nothing will be measured against them.",
        "Other columns are copied into the results: ipv_CME, ipv_LE",
    ]


@pytest.mark.slow
def test_lists_are_short_and_totals_exact(tmp_path: Path) -> None:
    """At most 1000 duplicates, 20 odd labels, 20 rows and 5 longest are listed; the totals count all."""
    rows: list[Sequence[object]] = [["1", "a", None, "odd", None, None]] * 1101
    rows += [["10", "d" * 10, None, 1, None, 1], *([[None, "b", None, None, None, None]] * 30)]
    rows += [[str(number), "c" * number, None, None, None, None] for number in range(2, 10)]
    quality = read(xlsx(tmp_path / "x.xlsx", LABELLED, rows)).quality
    assert (quality.duplicates_dropped.total, len(quality.duplicates_dropped.ids)) == (1100, 1000)
    assert (quality.odd_labels.total, len(quality.odd_labels.examples)) == (1101, 20)
    assert (quality.without_id.total, len(quality.without_id.rows)) == (30, 20)
    assert [narrative.characters for narrative in quality.longest] == [10, 9, 8, 7, 6]
    assert summary_lines(quality)[3].endswith("and 1095 more")
