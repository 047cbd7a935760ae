"""What was met while reading a workbook: counts, ids and row numbers, never the text of a narrative."""

from dataclasses import asdict, dataclass

import pandas as pd

_LISTED_DUPLICATES = 1000
_LISTED_EXAMPLES = 20
_LISTED_LONGEST = 5
_LISTED_COLUMNS = 20


@dataclass(frozen=True)
class OddLabel:
    """A label cell that cannot be right: its row, column, first 20 characters, and what is wrong with it."""

    row: int
    column: str
    value: str
    problem: str


@dataclass(frozen=True)
class Counts:
    """Narratives of both types and of each."""

    total: int
    cme: int
    le: int


@dataclass(frozen=True)
class Duplicates:
    """Narratives whose (incident_id, narrative_type) came before: how many, and the first 1000 keys."""

    total: int
    ids: list[tuple[str, str]]


@dataclass(frozen=True)
class WithoutId:
    """Narratives in rows without an incident id: how many, and the first 20 of those rows."""

    total: int
    rows: list[int]


@dataclass(frozen=True)
class OddLabels:
    """Label cells that cannot be right: how many, and the first 20."""

    total: int
    examples: list[OddLabel]


@dataclass(frozen=True)
class LongNarrative:
    """The key of one of the five longest narratives, and its length in characters."""

    incident_id: str
    narrative_type: str
    characters: int


@dataclass(frozen=True)
class DataQuality:
    """The workbook as it was read; ``labelled`` and ``positive`` count narratives by their own label.

    ``warnings`` is what a later release would refuse, in an experiment that an earlier one began.
    """

    file: str
    layout: str
    sheet: str | None
    columns_unread: list[str]
    rows_read: int
    rows_empty: int
    narratives: Counts
    labelled: Counts
    positive: Counts
    blanks_skipped: Counts
    duplicates_dropped: Duplicates
    without_id: WithoutId
    odd_labels: OddLabels
    longest: list[LongNarrative]
    warnings: list[str]

    @property
    def skipped(self) -> int:
        """How many narratives of the source are not asked about, being blank or a duplicate."""
        return self.blanks_skipped.total + self.duplicates_dropped.total

    def as_dict(self, md5: str) -> dict[str, object]:
        """The content of data_quality.json for a workbook with this MD5: plain values, ready for JSON."""
        fields = asdict(self)
        fields["duplicates_dropped"]["ids"] = [list(key) for key in self.duplicates_dropped.ids]
        # An experiment that an earlier release began keeps the file that it had: this is told, and not written.
        del fields["warnings"]
        return {"file": fields.pop("file"), "md5": md5, **fields}


def measure(
    *,
    file: str,
    layout: str,
    sheet: str | None,
    columns_unread: list[str],
    rows_read: int,
    rows_empty: int,
    narratives: pd.DataFrame,
    blanks: pd.DataFrame,
    duplicates: pd.DataFrame,
    without_id: pd.DataFrame,
    odd_labels: list[OddLabel],
    warnings: list[str],
) -> DataQuality:
    """Count the kept ``narratives`` and those left out: tables with narrative_type and the workbook's row."""
    own_label = narratives["manual_flag_ind"]
    return DataQuality(
        file=file,
        layout=layout,
        sheet=sheet,
        columns_unread=columns_unread,
        rows_read=rows_read,
        rows_empty=rows_empty,
        narratives=_counts(narratives),
        labelled=_counts(narratives[own_label.notna()]),
        positive=_counts(narratives[own_label.fillna(0) == 1]),
        blanks_skipped=_counts(blanks),
        duplicates_dropped=Duplicates(len(duplicates), _keys(duplicates.head(_LISTED_DUPLICATES))),
        without_id=WithoutId(len(without_id), without_id["row"].unique()[:_LISTED_EXAMPLES].tolist()),
        odd_labels=OddLabels(len(odd_labels), odd_labels[:_LISTED_EXAMPLES]),
        longest=_longest(narratives),
        warnings=warnings,
    )


def summary_lines(quality: DataQuality) -> list[str]:
    """What a user sees of it on the screen: one line, and one more for each thing that wants attention."""
    kept, blanks = quality.narratives, quality.blanks_skipped
    lines = [
        f"{quality.rows_read} rows, {kept.total} narratives ({kept.cme} CME, {kept.le} LE); "
        f"{blanks.total} blank narratives skipped; {quality.duplicates_dropped.total} duplicates dropped"
    ]
    if quality.labelled.total:
        lines.append(f"{quality.labelled.total} of them labelled, {quality.positive.total} positive")
    elif quality.columns_unread:
        columns = ", ".join(quality.columns_unread[:_LISTED_COLUMNS])
        lines.append(f"No labels were found, so nothing will be measured against them. Columns not read: {columns}")
    if quality.duplicates_dropped.total:
        shown = [f"{incident} {kind}" for incident, kind in quality.duplicates_dropped.ids[:5]]
        lines.append(_list("Dropped (the first was kept)", shown, quality.duplicates_dropped.total))
    if quality.without_id.total:
        rows = ", ".join(str(row) for row in quality.without_id.rows[:5])
        more = ", ..." if len(quality.without_id.rows) > 5 else ""
        lines.append(f"{quality.without_id.total} narratives left out for want of an id (rows {rows}{more})")
    if quality.odd_labels.total:
        shown = [f"row {odd.row} {odd.column} {odd.value!r}" for odd in quality.odd_labels.examples[:5]]
        lines.append(_list(f"{quality.odd_labels.total} odd labels", shown, quality.odd_labels.total))
    lines += [f"WARNING: {warning}" for warning in quality.warnings]
    return lines


def _counts(rows: pd.DataFrame) -> Counts:
    types = rows["narrative_type"]
    return Counts(len(rows), int((types == "cme").sum()), int((types == "le").sum()))


def _keys(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(rows["incident_id"], rows["narrative_type"], strict=True))


def _longest(narratives: pd.DataFrame) -> list[LongNarrative]:
    lengths = narratives["narrative_text"].str.len().astype("int64").nlargest(_LISTED_LONGEST)
    keys = _keys(narratives.loc[lengths.index])
    return [LongNarrative(*key, characters) for key, characters in zip(keys, lengths.tolist(), strict=True)]


def _list(what: str, shown: list[str], total: int) -> str:
    return f"{what}: {', '.join(shown)}" + (f" and {total - len(shown)} more" if total > len(shown) else "")
