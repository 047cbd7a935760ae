from collections.abc import Sequence

import pytest

from narrative_runs.source.layouts import KNOWN, Match, match
from narrative_runs.source.reading import Reading
from narrative_runs.source.rules import OF_0_1_0

from .books import LABELLED, LONG, PRODUCTION


def matched(header: Sequence[object], **how: object) -> Match:
    """The layout that a header comes closest to."""
    return match(header, Reading(**how))  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", KNOWN)
def test_layouts_are_told_apart_by_their_columns(layout: str) -> None:
    """The columns of a layout, in any order and among others, are found at their places."""
    header = ["SiteID", *reversed(KNOWN[layout]), None]
    found = matched(header)
    assert (found.layout, found.complete) == (layout, True)
    assert {header[place] for place in found.positions.values()} == set(KNOWN[layout])
    assert all(header[place] == found.names[role] for role, place in found.positions.items())


@pytest.mark.parametrize(
    "header",
    [
        [" incidentid", "NARRATIVECME ", "narrativeLE"],
        ["\ufeffIncidentID", "Narrative\u200bCME", "NarrativeLE\u00a0"],
        ["IncidentID\u2060", "\u202aNarrativeCME\u202c", "Narra\u00adtiveLE"],
    ],
)
def test_names_match_without_what_nobody_sees(header: list[object]) -> None:
    """A name that differs in case, in blanks around it or in invisible characters is still that column."""
    assert matched(header).positions == {"incident_id": 0, "cme": 1, "le": 2}


def test_first_release_saw_invisible_characters() -> None:
    """An experiment of the first release matches names as that did: without case and blanks around them."""
    assert matched([" incidentid", *PRODUCTION[1:]], rules=OF_0_1_0).complete
    assert not matched(["\ufeffIncidentID", *PRODUCTION[1:]], rules=OF_0_1_0).complete


def test_exact_name_wins() -> None:
    """Where one column has the very name and another only resembles it, the first is taken."""
    found = matched(["incidentid", "IncidentID", "NarrativeCME", "NarrativeLE"])
    assert (found.complete, found.positions["incident_id"]) == (True, 1)


@pytest.mark.parametrize("second", ["IncidentID", "INCIDENTID"])
def test_doubled_name_is_not_guessed(second: str) -> None:
    """Two columns of which either may be meant make no layout."""
    found = matched(
        [second, second.upper(), "NarrativeCME", "NarrativeLE"]
        if second.isupper()
        else [second, second, "NarrativeCME", "NarrativeLE"]
    )
    assert (found.complete, found.doubled) == (False, ("IncidentID",))


def test_lost_label_column_is_missed() -> None:
    """A workbook with some of the manual labels is not taken for one without any; the incident's may stand alone."""
    assert matched([*PRODUCTION, "ipv_manualLE"]).missing == ("ipv_manualCME", "ipv_manual")
    assert matched([*PRODUCTION, "ipv_manual"]).complete
    assert matched([*PRODUCTION, "ipv_manual"], rules=OF_0_1_0).missing == ("ipv_manualCME", "ipv_manualLE")


def test_closest_layout_is_named() -> None:
    """A header that lacks one column is compared with the layout it comes closest to."""
    assert matched(["incident_id", "narrative_type", "manual_flag_ind"]).missing == ("narrative_text",)


def test_manual_flag_may_be_left_out() -> None:
    """The long layout has the incident's label, manual_flag, only if it is there."""
    assert matched([*LONG, "manual_flag"]).positions["label"] == 4
    assert "label" not in matched([*LONG]).positions


def test_columns_of_other_names() -> None:
    """`data.columns` names the columns, of any number of narrative types, with labels or without."""
    header: list[object] = ["CaseNo", "ExaminerText", "Toxicology", "Violence"]
    columns = {"incident_id": "CaseNo", "cme": "ExaminerText", "toxicology": "Toxicology"}
    assert matched(header, columns=columns).positions == {"incident_id": 0, "cme": 1, "toxicology": 2}
    labelled = matched(header, columns={**columns, "label_cme": "Violence"})
    assert (labelled.layout, labelled.positions["label_cme"]) == ("labelled", 3)
    assert matched(header, columns={**columns, "le": "PoliceText"}).missing == ("PoliceText",)


def test_one_column_of_another_name() -> None:
    """Where `data.columns` names the id alone, all else has its usual name, labels too."""
    header: list[object] = ["CaseNo", *LABELLED[1:]]
    assert matched(header, columns={"incident_id": "CaseNo"}).complete
    assert matched(["CaseNo", *LONG[1:]], columns={"incident_id": "CaseNo"}).is_long


def test_long_layout_of_other_names() -> None:
    """In the long layout a narrative type of `data.columns` is what stands in a cell, not a column."""
    columns = {"incident_id": "Case", "narrative_type": "Kind", "narrative_text": "Text", "cme": "Coroner"}
    found = matched(["Case", "Kind", "Text"], columns=columns)
    assert (found.complete, found.is_long, set(found.positions)) == (
        True,
        True,
        {"incident_id", "narrative_type", "narrative_text"},
    )


def test_parts_of_a_key() -> None:
    """The columns of `data.id` stand for the id, are needed, and ride along as others do."""
    header: list[object] = ["SiteID", "IncidentYear", *PRODUCTION, "Sex"]
    found = matched(header, id_columns=("SiteID", "IncidentYear", "IncidentID"))
    assert [found.positions[f"id {number}"] for number in range(3)] == [0, 1, 2]
    assert found.others(header) == {0: "SiteID", 1: "IncidentYear", 2: "IncidentID", 5: "Sex"}
    assert matched(header, id_columns=("County", "IncidentID")).missing == ("County",)
