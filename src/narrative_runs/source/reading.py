"""What the params say about how a workbook is read, and by which release's rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.data_columns import OWN_LABEL, plain_columns, types_of
from narrative_runs.source.rules import CURRENT, ReadingRules


@dataclass(frozen=True)
class Reading:
    """How one experiment reads its workbook.

    sheets: the names of the sheets to read, in this order; none for the only one. id_columns: the columns that
    together make the key; none for the layout's own. columns: the workbook's names by ours; see `layouts`. skips:
    whether placeholders are skipped; placeholders: texts that count as such besides the usual ones. labels: the columns
    of the labels that `detected` is compared with: OWN_LABEL for the layout's own, another name for one column, names
    by narrative type and `incident`, or None if there are none.
    """

    rules: ReadingRules = CURRENT
    sheets: tuple[str, ...] = ()
    id_columns: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    skips_placeholders: bool = False
    placeholders: tuple[str, ...] = ()
    labels: str | Mapping[str, str] | None = OWN_LABEL

    @property
    def types(self) -> tuple[str, ...]:
        """The narrative types, in their order."""
        return types_of(self.columns)


def reading_of(data: Mapping[str, Any], rules: ReadingRules = CURRENT, codebook: Codebook = DEFAULT) -> Reading:
    """How the `data` section of these params says to read the workbook; keys that an earlier release did not know may
    be missing there. codebook: its first binary variable says which labels are meant."""
    sheet, placeholders = data.get("sheet"), data.get("placeholders", "ask")
    return Reading(
        rules=rules,
        sheets=() if sheet is None else (sheet,) if isinstance(sheet, str) else tuple(sheet),
        id_columns=tuple(data.get("id") or ()),
        columns=plain_columns(data.get("columns") or {}),
        skips_placeholders=placeholders != "ask",
        placeholders=tuple(placeholders["skip"]) if isinstance(placeholders, Mapping) else (),
        labels=codebook.variables[codebook.first_binary].label if codebook.first_binary else None,
    )
