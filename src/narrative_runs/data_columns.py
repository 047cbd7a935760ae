"""The keys of `data.columns`: our own names for the workbook's columns, and the narrative types among them."""

from collections.abc import Mapping
from typing import Any

# What a key may be besides a narrative type: ours, with the layouts' own names for the same.
INCIDENT_ID = "incident_id"
NARRATIVE_TYPE = "narrative_type"
NARRATIVE_TEXT = "narrative_text"
OWN_LABEL = "manual_flag_ind"
LABEL = "label"
LABEL_OF = "label_"
USUAL_TYPES = ("cme", "le")
_SAME_AS = {
    "IncidentID": INCIDENT_ID,
    "NarrativeCME": "cme",
    "NarrativeLE": "le",
    "ipv_manualCME": "label_cme",
    "ipv_manualLE": "label_le",
    "ipv_manual": LABEL,
    "manual_flag": LABEL,
}
_ONLY_LONG = (NARRATIVE_TYPE, NARRATIVE_TEXT, OWN_LABEL)


def plain_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """`data.columns` with our own names for what a layout calls otherwise: `cme` for `NarrativeCME`."""
    return {_SAME_AS.get(key, key): name for key, name in columns.items()}


def types_of(columns: Mapping[str, str]) -> tuple[str, ...]:
    """The narrative types that `data.columns` names, in its order; where it names none, cme and le."""
    given = plain_columns(columns)
    named = tuple(key for key in given if key not in (INCIDENT_ID, LABEL, *_ONLY_LONG) and not key.startswith(LABEL_OF))
    return named or USUAL_TYPES


def narrative_types(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The narrative types of an experiment with these params, as its journals hold them."""
    return types_of(params["data"].get("columns") or {})


def type_title(narrative_type: str) -> str:
    """A narrative type as people read it: CME, LE, and any other as it is written."""
    return narrative_type.upper() if narrative_type in USUAL_TYPES else narrative_type
