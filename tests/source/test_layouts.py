import pytest

from narrative_runs.source.layouts import LABELLED, LONG, PRODUCTION, Layout, match


@pytest.mark.parametrize("layout", [PRODUCTION, LABELLED, LONG])
def test_layouts_are_told_apart_by_their_columns(layout: Layout) -> None:
    """The columns of a layout, in any order and among others, are found at their places."""
    header = ["SiteID", *reversed(layout.required), None]
    found = match(header)
    assert (found.layout, found.complete) == (layout, True)
    assert {header[place]: place for place in found.positions.values()} == found.positions


def test_names_match_without_case_and_blanks() -> None:
    """A name that differs in case or has blanks around it is still that column."""
    assert match([" incidentid", "NARRATIVECME ", "narrativeLE"]).positions == {
        "IncidentID": 0,
        "NarrativeCME": 1,
        "NarrativeLE": 2,
    }


def test_exact_name_wins() -> None:
    """Where one column has the very name and another only resembles it, the first is taken."""
    found = match(["incidentid", "IncidentID", "NarrativeCME", "NarrativeLE"])
    assert (found.complete, found.positions["IncidentID"]) == (True, 1)


@pytest.mark.parametrize("second", ["IncidentID", "INCIDENTID"])
def test_doubled_name_is_not_guessed(second: str) -> None:
    """Two columns of which either may be meant make no layout."""
    found = match(
        [second, second.upper(), "NarrativeCME", "NarrativeLE"]
        if second.isupper()
        else [second, second, "NarrativeCME", "NarrativeLE"]
    )
    assert (found.complete, found.doubled) == (False, ("IncidentID",))


def test_lost_label_column_is_missed() -> None:
    """A workbook with some of the manual labels is not taken for one without any."""
    assert match(["IncidentID", "NarrativeCME", "NarrativeLE", "ipv_manual"]).missing == (
        "ipv_manualCME",
        "ipv_manualLE",
    )


def test_closest_layout_is_named() -> None:
    """A header that lacks one column is compared with the layout it comes closest to."""
    assert match(["incident_id", "narrative_type", "manual_flag_ind"]).missing == ("narrative_text",)


def test_manual_flag_may_be_left_out() -> None:
    """The long layout has the incident's label, manual_flag, only if it is there."""
    assert match([*LONG.required, "manual_flag"]).positions["manual_flag"] == 4
    assert "manual_flag" not in match(LONG.required).positions
