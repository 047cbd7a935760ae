"""What the params say about how a workbook is read, and by which release's rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from narrative_runs.source.rules import CURRENT, ReadingRules

# What a key of `data.columns` may be besides a narrative type: ours, with the layouts' own names for the same.
INCIDENT_ID = "incident_id"
NARRATIVE_TYPE = "narrative_type"
NARRATIVE_TEXT = "narrative_text"
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
_ONLY_LONG = (NARRATIVE_TYPE, NARRATIVE_TEXT, "manual_flag_ind")


@dataclass(frozen=True)
class Reading:
    """How one experiment reads its workbook.

    sheets: the names of the sheets to read, in this order; none for the one that there is. id_columns: the columns that
    make the key together; none for the layout's own. columns: the workbook's names by ours; see `layouts`. skips:
    whether placeholders are skipped; placeholders: texts that count as such besides the usual ones.
    """

    rules: ReadingRules = CURRENT
    sheets: tuple[str, ...] = ()
    id_columns: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    skips_placeholders: bool = False
    placeholders: tuple[str, ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        """The narrative types, in their order."""
        return types_of(self.columns)


def reading_of(data: Mapping[str, Any], rules: ReadingRules = CURRENT) -> Reading:
    """How the `data` section of these params has the workbook read; what an earlier release did not know is left
    out there."""
    sheet, placeholders = data.get("sheet"), data.get("placeholders", "ask")
    return Reading(
        rules=rules,
        sheets=() if sheet is None else (sheet,) if isinstance(sheet, str) else tuple(sheet),
        id_columns=tuple(data.get("id") or ()),
        columns=plain_columns(data.get("columns") or {}),
        skips_placeholders=placeholders != "ask",
        placeholders=tuple(placeholders["skip"]) if isinstance(placeholders, Mapping) else (),
    )


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
