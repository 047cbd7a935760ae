"""Which rows of the R system answer which narratives of the workbook."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from narrative_runs.migration.r_rows import id_of
from narrative_runs.source.cells import text_of
from narrative_runs.source.shards import Narrative

Key = tuple[str, str]
Row = Mapping[str, Any]


@dataclass
class Matched:
    """The R system's rows of one experiment, each counted once.

    answers: by the narrative that it answers, rows of the record's order; different_text: keys whose text is different
    in the workbook; unproved: keys whose text nobody knows any more; not_in_workbook: keys; without_id: rows
    without incident id or type; replaced: rows that a later one for the same narrative replaces.
    """

    answers: dict[Key, Row] = field(default_factory=dict)
    different_text: list[Key] = field(default_factory=list)
    unproved: list[Key] = field(default_factory=list)
    not_in_workbook: list[Key] = field(default_factory=list)
    without_id: int = 0
    replaced: int = 0


def match(
    rows: Iterable[Row], narratives: Mapping[Key, Narrative], source_texts: Mapping[Key, str], is_same_workbook: bool
) -> Matched:
    """Match rows with narratives by (incident_id, narrative_type) and text.

    rows: of `narrative_results`, by result_id: of two for one narrative the later counts; narratives: of the workbook;
    source_texts: of `source_narratives`, for rows that hold no text; is_same_workbook: whether the stored checksum
    proves that the workbook is the one that the R system read.
    """
    matched = Matched()
    ids = {incident_id: None for incident_id, _ in narratives}
    latest: dict[Key, Row] = {}
    for row in rows:
        key = key_of(row, ids)
        if "" in key:
            matched.without_id += 1
            continue
        matched.replaced += key in latest
        latest[key] = row
    for key, row in latest.items():
        narrative = narratives.get(key)
        text = row["narrative_text"] if row["narrative_text"] is not None else source_texts.get(key)
        if narrative is None:
            matched.not_in_workbook.append(key)
        elif text is None and not is_same_workbook:
            matched.unproved.append(key)
        elif text is not None and comparable(text_of(text)) != comparable(narrative.narrative_text):
            matched.different_text.append(key)
        else:
            matched.answers[key] = row
    return matched


def key_of(row: Row, ids: Mapping[str, Any]) -> Key:
    """The key of a row as the workbook writes it; "" for a part that is missing. ids: the workbook's."""
    return id_of(row["incident_id"], ids), text_of(row["narrative_type"]).strip().lower()


def comparable(text: str) -> str:
    """The text as two readers of one cell agree on it: R's cuts blanks off both ends, and lines may end in two ways."""
    return text.replace("\r\n", "\n").strip()
