"""The layouts of a workbook, recognized by the names of their columns.

A layout is a list of what a column may hold, its *role*: `incident_id`, a narrative type such as `cme`, `label_cme`
(the narrative's own label), `label` (the incident's); in the long layout `narrative_type`, `narrative_text`,
`manual_flag_ind`. `data.columns` gives roles other names than the usual ones.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from narrative_runs.codebook.labels import INCIDENT
from narrative_runs.data_columns import (
    INCIDENT_ID,
    LABEL,
    LABEL_OF,
    NARRATIVE_TEXT,
    NARRATIVE_TYPE,
    OWN_LABEL,
    USUAL_TYPES,
)
from narrative_runs.source.cells import text_of
from narrative_runs.source.reading import Reading

# The role of the n-th column of `data.id`, from 0.
KEY_PART = "id {}"
_WIDE = {
    INCIDENT_ID: "IncidentID",
    "cme": "NarrativeCME",
    "le": "NarrativeLE",
    "label_cme": "ipv_manualCME",
    "label_le": "ipv_manualLE",
    LABEL: "ipv_manual",
}
_WIDE_LABELS = ("label_cme", "label_le", LABEL)
_LONG = {
    INCIDENT_ID: "incident_id",
    NARRATIVE_TYPE: "narrative_type",
    NARRATIVE_TEXT: "narrative_text",
    OWN_LABEL: "manual_flag_ind",
    LABEL: "manual_flag",
}
PRODUCTION, LABELLED, LONG = "production", "labelled", "long"
KNOWN = {
    PRODUCTION: [_WIDE[role] for role in (INCIDENT_ID, *USUAL_TYPES)],
    LABELLED: list(_WIDE.values()),
    LONG: [name for role, name in _LONG.items() if role != LABEL],
}
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Match:
    """What a header has of a layout.

    layout: production, labelled or long. positions: the column, from 0, of each role that has one; names: what
    the column of each role is called; missing: names of columns that are not there; doubled: those that are there
    twice, so that either may be meant; labels_ride_along: whether the columns of labels are copied too, as a codebook
    names them.
    """

    layout: str
    positions: dict[str, int]
    names: dict[str, str]
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    share_missing: float = field(default=0.0, compare=False)
    labels_ride_along: bool = False

    @property
    def complete(self) -> bool:
        """Whether the header is of the layout."""
        return not self.missing and not self.doubled

    @property
    def is_long(self) -> bool:
        """Whether a row is one narrative."""
        return self.layout == LONG

    def others(self, header: Sequence[object]) -> dict[int, str]:
        """Position and name of each column that has no role, or only that of a part of the key or of a codebook's
        label."""
        shared = [role for role in self.positions if role.startswith("id ")]
        shared += [role for role in self.positions if self.labels_ride_along and _is_label(role)]
        used = {position for role, position in self.positions.items() if role not in shared}
        names = [text_of(cell).strip() for cell in header]
        return {position: name for position, name in enumerate(names) if name and position not in used}


def match(header: Sequence[object], reading: Reading) -> Match:
    """The layout that a header comes closest to."""
    names = [text_of(cell) for cell in header]
    matches = [_compare(names, _roles(names, reading, is_long), reading) for is_long in (False, True)]
    return min(matches, key=lambda match: (not match.complete, match.share_missing))


def cleaned(name: str) -> str:
    """The name of a column without what nobody sees: invisible characters, kinds of blanks, composed letters."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", name)).split())


@dataclass(frozen=True)
class _Roles:
    """The names of the columns by their roles: those that a layout must have, and those that it may have."""

    needed: dict[str, str]
    possible: dict[str, str]
    layout: str


def _roles(header: list[str], reading: Reading, is_long: bool) -> _Roles:
    usual, given = (_LONG if is_long else _WIDE), reading.columns
    needed = {role: usual[role] for role in ((INCIDENT_ID,) if not reading.id_columns else ())}
    possible: dict[str, str] = {}
    if is_long:
        needed |= {role: usual[role] for role in (NARRATIVE_TYPE, NARRATIVE_TEXT)}
        # Who names the columns need not have labels.
        (possible if given else needed)[OWN_LABEL] = usual[OWN_LABEL]
        possible[LABEL] = usual[LABEL]
        # Of the long layout a narrative type is no column, but what stands in one.
        own = {role: name for role, name in given.items() if role in usual}
    else:
        own = {role: name for role, name in given.items() if role not in (NARRATIVE_TYPE, NARRATIVE_TEXT, OWN_LABEL)}
        if set(own) <= {INCIDENT_ID}:
            needed |= {role: usual[role] for role in (*USUAL_TYPES, *_labels_asked_for(header, reading))}
        else:
            needed |= {kind: own.get(kind, usual.get(kind, kind)) for kind in reading.types}
    needed |= {role: name for role, name in own.items() if role not in possible}
    possible |= {role: name for role, name in own.items() if role in possible}
    if reading.labels != OWN_LABEL:
        needed = {role: name for role, name in needed.items() if not _is_label(role)} | _labels_of(reading, is_long)
        possible = {role: name for role, name in possible.items() if not _is_label(role)}
    if reading.id_columns:
        needed.pop(INCIDENT_ID, None)
        needed |= {KEY_PART.format(number): name for number, name in enumerate(reading.id_columns)}
    labelled = any(role != OWN_LABEL and _is_label(role) for role in needed)
    return _Roles(needed, possible, LONG if is_long else LABELLED if labelled else PRODUCTION)


def _is_label(role: str) -> bool:
    return role in (LABEL, OWN_LABEL) or role.startswith(LABEL_OF)


def _labels_of(reading: Reading, is_long: bool) -> dict[str, str]:
    """The columns of labels that a codebook names, by their roles; if a row has several narratives, a single column
    has the labels of incidents."""
    given = reading.labels
    if isinstance(given, str):
        return {OWN_LABEL if is_long else LABEL: given}
    roles = {LABEL if kind == INCIDENT else f"{LABEL_OF}{kind}": name for kind, name in (given or {}).items()}
    return {role: name for role, name in roles.items() if role == LABEL} if is_long else roles


def _labels_asked_for(header: list[str], reading: Reading) -> tuple[str, ...]:
    """One label of a narrative is enough to ask for all: a workbook that lost some is not silently unlabelled."""
    there = [role for role in _WIDE_LABELS if _positions(header, _WIDE[role], reading)]
    if there == [LABEL] and reading.rules.incident_labels_alone:
        return (LABEL,)
    return _WIDE_LABELS if there else ()


def _compare(header: list[str], roles: _Roles, reading: Reading) -> Match:
    names = roles.needed | roles.possible
    positions = {role: _positions(header, name, reading) for role, name in names.items()}
    missing = tuple(name for role, name in roles.needed.items() if not positions[role])
    return Match(
        roles.layout,
        positions={role: columns[0] for role, columns in positions.items() if columns},
        names=names,
        missing=missing,
        doubled=tuple(names[role] for role, columns in positions.items() if len(columns) > 1),
        share_missing=len(missing) / len(roles.needed),
        labels_ride_along=reading.labels != OWN_LABEL,
    )


def _positions(header: list[str], column: str, reading: Reading) -> list[int]:
    """The positions, from 0, of the column: by its exact name, or else ignoring case and what nobody sees."""
    exact = [position for position, name in enumerate(header) if name == column]
    if exact:
        return exact
    plain = cleaned if reading.rules.headers_cleaned else str.strip
    wanted = plain(column).casefold() if reading.rules.headers_cleaned else column.casefold()
    return [position for position, name in enumerate(header) if plain(name).casefold() == wanted]
