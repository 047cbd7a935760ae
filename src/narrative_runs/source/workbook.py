"""Reads a workbook into narratives, one row each, without blanks and duplicates, and counts all of them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from narrative_runs.errors import SourceError
from narrative_runs.source.candidates import Collected, Collector, file_and_sheet
from narrative_runs.source.cells import Plain
from narrative_runs.source.choice import Choice, choose
from narrative_runs.source.formats import open_tables
from narrative_runs.source.incidents import incidents_of, labelled_blanks
from narrative_runs.source.measured import measure
from narrative_runs.source.other_columns import SHEET, OtherColumns
from narrative_runs.source.quality import DataQuality, OddLabel
from narrative_runs.source.reading import Reading
from narrative_runs.source.repeats import Judged, conflict, judge, parts_that_tell_apart
from narrative_runs.source.rules import Objections
from narrative_runs.source.shards import Narrative
from narrative_runs.source.text_store import TextStore


@dataclass(frozen=True)
class Source:
    """The narratives of a workbook and what was noticed while reading them.

    ``keys`` has the columns row_num [int64, from 1, in workbook order, cme before le], incident_id, narrative_type
    [string], manual_flag_ind (the narrative's own label) and manual_flag (the incident's label) [Int64: 0, 1 or NA],
    source_row [int64, the row in the workbook], characters [int64], and where text and other cells are. The texts are
    on disk until the process ends. ``incidents``: see `incidents_of`. ``sheets`` names those that were read.
    """

    keys: pd.DataFrame
    incidents: pd.DataFrame
    texts: TextStore
    others: OtherColumns
    sheets: list[str]
    quality: DataQuality

    def __len__(self) -> int:
        return len(self.keys)

    def dealt(self, count: int) -> list[Iterator[Narrative]]:
        """The narratives dealt round robin into `count` shards."""
        return [self.narratives(start, count) for start in range(count)]

    def narratives(self, first: int = 0, step: int = 1) -> Iterator[Narrative]:
        """The narratives in workbook order, every `step`-th from index `first` on."""
        part = self.keys.iloc[first::step]
        plain = part.astype(object).where(part.notna(), None)
        names = ("row_num", "incident_id", "narrative_type", "text", "manual_flag_ind", "manual_flag", "source_row")
        for row_num, incident_id, kind, text, *rest in zip(*(plain[name] for name in names), strict=True):
            yield Narrative(row_num, incident_id, kind, self.texts[text], *rest)

    def with_texts(self) -> pd.DataFrame:
        """The keys and labels with their texts, in memory: columns row_num, incident_id, narrative_type,
        narrative_text, manual_flag_ind, manual_flag, source_row."""
        texts = pd.Series([self.texts[number] for number in self.keys["text"]], dtype="string")
        names = ["row_num", "incident_id", "narrative_type", "manual_flag_ind", "manual_flag", "source_row"]
        table = self.keys[names].copy()
        table.insert(3, "narrative_text", texts)
        return table

    def names_of_other_columns(self, reserved: Collection[str]) -> list[str]:
        """What the workbook's other columns are called in the results, as `write_other_columns` writes them."""
        return [*([SHEET] if len(self.sheets) > 1 else []), *self.others.named(reserved).values()]

    def rows_of_other_columns(self) -> Iterator[dict[str, Plain]]:
        """For each row with a narrative, the cells of other columns that are not blank, by the names of the columns."""
        return (self.others[number] for number in dict.fromkeys(self.keys["other"]))

    def write_other_columns(self, path: Path, reserved: Collection[str]) -> None:
        """Write the workbook's other columns, one row per narrative, with its sheet if several were read.

        reserved: names that none of them may have.
        """
        sheets = [self.sheets[sheet] for sheet in self.keys["sheet"]] if len(self.sheets) > 1 else None
        self.others.write(self.keys["other"].tolist(), sheets, reserved, path)


def read(path: Path, how: Reading | None = None, scratch: Path | None = None) -> Source:
    """Read an .xlsx, .csv or .parquet workbook of any layout, as the experiment reads it.

    It leaves out blank narratives, those without an id, and all but the first with one (incident_id,
    narrative_type). scratch: the folder on whose disk the texts are meanwhile.

    Raises:
        SourceError: the file cannot be read, has no known layout or no narrative, or holds what would make a number
            wrong: ids that Excel changed, several texts under one key, labels that cannot be read.
    """
    how = how or Reading()
    objections = Objections(how.rules)
    choice = choose(path, open_tables(path, how.rules, scratch), how, objections)
    collector = Collector(path, how, objections, scratch)
    for candidate in choice.read:
        collector.read(candidate)
    return _source(path, choice, collector.collected, how, objections)


def _source(path: Path, choice: Choice, collected: Collected, how: Reading, objections: Objections) -> Source:
    where = file_and_sheet(path, choice.read[0]) if len(choice.read) == 1 else f"Data file {path}"
    cells = collected.table()
    if cells.empty:
        raise SourceError(f"{where} has a header but no rows.\nCheck data.file in the params.")
    has_id = cells["incident_id"] != ""
    is_long = choice.read[0].match.is_long
    if is_long and "label" not in choice.read[0].match.positions:
        cells["manual_flag"] = _highest(cells, is_long)
    odd = collected.odd_labels + _contradictions(cells[has_id], is_long, choice)
    skipped = cells["is_blank"] | (cells["is_placeholder"] & how.skips_placeholders)
    sheets = [str(candidate.table.name) for candidate in choice.read if candidate.table.name is not None]
    judged = judge(cells[~skipped & has_id], sheets)
    if len(judged.conflicting):
        problem = conflict(judged.conflicting, sheets, *_way_out(judged, collected.others, choice, how))
        objections.since(2, f"{where} {problem}")
    kept = judged.kept if how.rules.tells_all else cells.loc[judged.kept.index]
    if kept.empty:
        raise SourceError(
            f"{where} has {collected.rows_read} rows, but no narrative with an id.\n"
            "Check that the narratives are in the columns that have their names."
        )
    keys = kept.assign(row_num=range(1, len(kept) + 1), source_row=kept["row"]).reset_index(drop=True)
    odd.sort(key=lambda label: label.row)
    blanks = labelled_blanks(cells[has_id], skipped[has_id], kept)
    incidents = incidents_of(kept, blanks, "label" in choice.read[0].match.positions)
    quality = measure(path, choice, cells, keys, judged, blanks, collected, how, odd, objections)
    return Source(keys, incidents, collected.texts, collected.others, sheets, quality)


def _way_out(judged: Judged, others: OtherColumns, choice: Choice, how: Reading) -> tuple[Sequence[str], str]:
    """Columns that make the key unique, and the name of the id's own column."""
    match = choice.read[0].match
    id_column = ", ".join(how.id_columns) or match.names.get("incident_id", "IncidentID")
    parts = parts_that_tell_apart(judged.conflicting, others.__getitem__, others.names)
    return parts, id_column


def _contradictions(cells: pd.DataFrame, is_long: bool, choice: Choice) -> list[OddLabel]:
    """One for each row whose incident label is not the highest of the labels of its narratives."""
    match = choice.read[0].match
    if "label" not in match.names:
        return []
    highest = _highest(cells, is_long)
    wrong = (cells["manual_flag"] != highest).fillna(False).astype(bool)
    rows: Any = cells.assign(highest=highest)[wrong].drop_duplicates("line")
    return [
        OddLabel(row, match.names["label"], str(flag), f"the highest label of its narratives is {top}: kept")
        for row, flag, top in zip(rows["row"], rows["manual_flag"], rows["highest"], strict=True)
    ]


def _highest(cells: pd.DataFrame, is_long: bool) -> pd.Series:
    """The highest label of the narratives of an incident: of those in a row, or, in the long layout, with an id."""
    return cells.groupby("incident_id" if is_long else "line")["manual_flag_ind"].transform("max")
