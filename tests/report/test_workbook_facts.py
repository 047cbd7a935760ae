from typing import Any

import pytest

from narrative_runs.report.workbook_facts import workbook_facts

QUALITY: dict[str, Any] = {
    "sheet": ["2019", "2020"],
    "sheets_unread": [
        {"name": "2018", "rows": 1204, "hidden": True, "layout": "labelled"},
        {"name": "Notes", "hidden": False, "layout": ""},
    ],
    "unreadable_cells": [
        {"column": "NarrativeCME", "problem": "Excel errors", "total": 7, "cells": ["C17", "C20"]},
        {"column": "Sex", "problem": "formulas without a value", "total": 1, "cells": ["F2"]},
    ],
    "placeholders": {
        "handling": "ask",
        "total": 12,
        "cme": 12,
        "le": 0,
        "examples": [{"text": "see LE", "count": 11, "cell": "C4"}, {"text": "N/A", "count": 1, "cell": "C9"}],
    },
    "short_texts": {"total": 2, "cells": ["C12", "D40"]},
    "repeated_texts": {"total": 9, "examples": [{"count": 9, "characters": 1200, "cell": "C3"}]},
    "probably_cut": {"total": 1, "cells": ["D5"]},
    "repeats": {
        "same": 3,
        "other_label": 1,
        "other_text": 0,
        "listed": [{"incident_id": "secret-7", "narrative_type": "cme", "rows": [8, 9], "differs": "label"}],
    },
    "blank_labels": {
        "total": 5,
        "positive": 1,
        "listed": [{"incident_id": "secret-8", "narrative_type": "le", "row": 4}],
    },
    "labelled_incidents": {"total": 1200, "positive": 34},
}
OF_0_1_0 = {"file": "a.xlsx", "sheet": None, "narratives": {"total": 3, "cme": 2, "le": 1}, "duplicates_dropped": {}}


def told(quality: dict[str, Any]) -> dict[str, list[str]]:
    """The sentences on a workbook, by what they are about."""
    return {fact.name: fact.words.split("\n") for fact in workbook_facts(quality)}


def test_all_that_is_known_is_told_in_sentences() -> None:
    """Each fact has its sentences, with numbers, and places where a person can look."""
    assert told(QUALITY) == {
        "Sheet": ["2019, 2020 were read."],
        "Sheets not read": ["2018, 1,204 rows, hidden, with the columns of narratives (labelled layout).", "Notes."],
        "Cells without a value": [
            "NarrativeCME: 7 cells taken as blank, being Excel errors (C17, C20 and 5 more).",
            "Sex: 1 cell taken as blank, being formulas without a value (F2).",
        ],
        "Placeholders": [
            "Instead of a narrative: 12 (CME 12).",
            "The model was asked about them, and they count as any other narrative does.",
            "“see LE”: 11 times, first in C4.",
            "“N/A”: once, first in C9.",
        ],
        "Very short texts": ["2 narratives of a few characters, besides placeholders: C12, D40."],
        "Repeated texts": [
            "9 narratives with a text that stands in three or more places, word for word.",
            "A text of 1,200 characters: 9 times, first in C3.",
        ],
        "Texts cut off": [
            "1 narrative of 32,767 characters, the most that Excel can hold, probably lost the rest: D5."
        ],
        "Repeated narratives": [
            "3 with the same text and label; the first was kept.",
            "1 with another label; kept once, without a label.",
            "CME, rows 8, 9: the label differs.",
        ],
        "Labels without a text": [
            "1 narrative labelled 1 without a text (row 4): the incident is inconsistent, and counts in no rate of "
            "incidents."
        ],
        "Labelled incidents": ["1,200, of them 34 positive."],
    }


def test_skipped_placeholders_are_told_to_be() -> None:
    """Whether the model was asked about a placeholder makes other numbers, so it is said."""
    placeholders = {**QUALITY["placeholders"], "handling": "skip"}
    assert (
        "They were skipped: the model was not asked, and they count in no rate."
        in (told({"placeholders": placeholders})["Placeholders"])
    )


@pytest.mark.parametrize(
    "quality",
    [
        OF_0_1_0,
        {
            "sheets_unread": [],
            "unreadable_cells": [],
            "placeholders": {"handling": "ask", "total": 0, "cme": 0, "le": 0, "examples": []},
            "short_texts": {"total": 0, "cells": []},
            "repeated_texts": {"total": 0, "examples": []},
            "probably_cut": {"total": 0, "cells": []},
            "repeats": {"same": 0, "other_label": 0, "other_text": 0, "listed": []},
            "labelled_incidents": {"total": 0, "positive": 0},
        },
    ],
)
def test_of_what_does_not_occur_nothing_is_said(quality: dict[str, Any]) -> None:
    """A file of the first release, and a workbook without fault, have nothing to tell."""
    assert told(quality) == {}


def test_no_id_is_told() -> None:
    """Rows and cells lead to a narrative for those who have the workbook, and for nobody else."""
    assert "secret-7" not in str(told(QUALITY))


def test_of_many_repeats_the_first_are_told_and_the_rest_counted() -> None:
    """A page is not flooded by a workbook full of faults."""
    listed = [{"narrative_type": "le", "rows": [row, "B 2"], "differs": "label"} for row in range(25)]
    lines = told({"repeats": {"other_label": 25, "listed": listed}})["Repeated narratives"]
    assert len(lines) == 12 and lines[1] == "LE, rows 0, B 2: the label differs." and lines[-1] == "And 15 more."
