"""What was noticed while reading a workbook: counts, ids and addresses of cells, never the text of a narrative."""

from dataclasses import asdict, dataclass, field
from typing import Any

from narrative_runs.data_columns import type_title

# The facts that the first release wrote.
_OF_0_1_0 = (
    "file",
    "md5",
    "layout",
    "sheet",
    "columns_unread",
    "rows_read",
    "rows_empty",
    "narratives",
    "labelled",
    "positive",
    "blanks_skipped",
    "duplicates_dropped",
    "without_id",
    "odd_labels",
    "longest",
)


@dataclass(frozen=True)
class OddLabel:
    """A label cell that cannot be right: its row, column, first 20 characters, and what is wrong with it."""

    row: int
    column: str
    value: str
    problem: str


@dataclass(frozen=True)
class Counts:
    """Narratives of all types and of each."""

    total: int
    by_type: dict[str, int]

    def as_dict(self) -> dict[str, int]:
        """`total`, and a key for each type."""
        return {"total": self.total, **self.by_type}

    def words(self) -> str:
        """The counts by type, in words."""
        return ", ".join(f"{count} {type_title(kind)}" for kind, count in self.by_type.items())


@dataclass(frozen=True)
class BlankLabel:
    """A blank narrative that is labelled 1: its key and row."""

    incident_id: str
    narrative_type: str
    row: int | str


@dataclass(frozen=True)
class BlankLabels:
    """Blank (or skipped) narratives that have a label, those of them that are positive, and the first 1000 of these:
    their incidents are inconsistent, and count in no rate of incidents."""

    total: int
    positive: int
    listed: list[BlankLabel]


@dataclass(frozen=True)
class Duplicates:
    """Narratives whose (incident_id, narrative_type) came before: how many, and the first 1000 keys."""

    total: int
    ids: list[tuple[str, str]]


@dataclass(frozen=True)
class Repeat:
    """A key that repeats with another label: its rows, and what differs."""

    incident_id: str
    narrative_type: str
    rows: list[int | str]
    differs: str


@dataclass(frozen=True)
class Repeats:
    """Repeated keys by kind: narratives dropped because text and label are `same`; keys with another label, which
    have none now; keys with another text (of an experiment whose release kept the first). `listed` holds the keys with
    another label, 1000 at most."""

    same: int
    other_label: int
    other_text: int
    listed: list[Repeat]


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
class UnreadableCells:
    """Cells of one column that have no value though they are not blank: why, how many, and the first five."""

    column: str
    problem: str
    total: int
    cells: list[str]


@dataclass(frozen=True)
class PlaceholderText:
    """A text that fills the cell of a missing narrative: how often, and the first cell."""

    text: str
    count: int
    cell: str


@dataclass(frozen=True)
class Placeholders:
    """Texts that fill the cells of missing narratives, and whether they are asked about or skipped."""

    handling: str
    counts: Counts
    examples: list[PlaceholderText]


@dataclass(frozen=True)
class SomeCells:
    """How many cells, and the first 20 of them."""

    total: int
    cells: list[str]


@dataclass(frozen=True)
class RepeatedText:
    """A text that several incidents share: how often, its length, and the first cell."""

    count: int
    characters: int
    cell: str


@dataclass(frozen=True)
class RepeatedTexts:
    """Narratives whose text occurs three times or more, and the most frequent of these texts."""

    total: int
    examples: list[RepeatedText]


@dataclass(frozen=True)
class LabelledIncidents:
    """Incidents with a label, and those of them that are positive."""

    total: int
    positive: int


@dataclass(frozen=True)
class UnreadSheet:
    """A sheet that was not read; layout: empty if it has no known one."""

    name: str
    hidden: bool
    layout: str


@dataclass(frozen=True)
class LongNarrative:
    """The key of one of the five longest narratives, and its length in characters."""

    incident_id: str
    narrative_type: str
    characters: int


@dataclass(frozen=True)
class DataQuality:
    """The workbook as it was read; ``labelled`` and ``positive`` count narratives by their own label.

    ``warnings`` is what a later release would refuse, in an experiment that an earlier one began; ``tells_all`` whether
    data_quality.json holds more than the first release wrote.
    """

    file: str
    layout: str
    sheet: str | list[str] | None
    sheets_unread: list[UnreadSheet]
    columns_unread: list[str]
    rows_read: int
    rows_empty: int
    narratives: Counts
    labelled: Counts
    positive: Counts
    labelled_incidents: LabelledIncidents
    blanks_skipped: Counts
    blank_labels: BlankLabels
    duplicates_dropped: Duplicates
    repeats: Repeats
    without_id: WithoutId
    odd_labels: OddLabels
    unreadable_cells: list[UnreadableCells]
    placeholders: Placeholders
    short_texts: SomeCells
    repeated_texts: RepeatedTexts
    probably_cut: SomeCells
    longest: list[LongNarrative]
    warnings: list[str] = field(default_factory=list)
    tells_all: bool = True

    @property
    def skipped(self) -> int:
        """How many narratives of the source are not asked about, being blank, a placeholder or a duplicate."""
        placeholders = self.placeholders.counts.total if self.placeholders.handling == "skip" else 0
        return self.blanks_skipped.total + self.duplicates_dropped.total + placeholders

    def as_dict(self, md5: str) -> dict[str, object]:
        """The content of data_quality.json for a workbook with this MD5: plain values, ready for JSON."""
        fields: dict[str, Any] = asdict(self)
        for name in ("narratives", "labelled", "positive", "blanks_skipped"):
            fields[name] = getattr(self, name).as_dict()
        fields["duplicates_dropped"]["ids"] = [list(key) for key in self.duplicates_dropped.ids]
        placeholders = fields["placeholders"]
        fields["placeholders"] = {
            "handling": placeholders["handling"],
            **self.placeholders.counts.as_dict(),
            "examples": placeholders["examples"],
        }
        # Warnings are shown, and not written; an experiment of an earlier release does not get what it never held.
        del fields["warnings"], fields["tells_all"]
        content = {"file": fields.pop("file"), "md5": md5, **fields}
        return content if self.tells_all else {name: content[name] for name in _OF_0_1_0}
