"""Counts what a workbook holds, for data_quality.json."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pandas as pd

from narrative_runs.source.candidates import Collected
from narrative_runs.source.choice import Choice
from narrative_runs.source.quality import (
    BlankLabel,
    BlankLabels,
    Counts,
    DataQuality,
    Duplicates,
    LabelledIncidents,
    LongNarrative,
    OddLabel,
    OddLabels,
    Placeholders,
    PlaceholderText,
    RepeatedText,
    RepeatedTexts,
    SomeCells,
    UnreadSheet,
    WithoutId,
)
from narrative_runs.source.reading import Reading
from narrative_runs.source.repeats import Judged, row_names
from narrative_runs.source.rules import Objections

_LISTED_DUPLICATES = 1_000
_LISTED_BLANKS = 1_000
_LISTED = 20
_LISTED_LONGEST = 5
_SHORT_CHARACTERS = 20
_OFTEN = 3
_PLACEHOLDER_CHARACTERS = 40


def measure(
    path: Path,
    choice: Choice,
    cells: pd.DataFrame,
    narratives: pd.DataFrame,
    judged: Judged,
    blank_labels: pd.DataFrame,
    collected: Collected,
    how: Reading,
    odd: Sequence[OddLabel],
    objections: Objections,
) -> DataQuality:
    """Count the narratives that were kept, and the text cells that were left out.

    cells: every text cell of a row that is not empty, as `Collected.table` gives them; narratives: those that were
    kept, with their row_num; blank_labels: what `labelled_blanks` gives.
    """
    has_id = cells["incident_id"] != ""
    blanks = cells[cells["is_blank"]]
    is_skipped = cells["is_placeholder"] & how.skips_placeholders
    without_id = cells[~cells["is_blank"] & ~has_id]
    placeholders = cells[cells["is_placeholder"] & ~cells["is_blank"] & has_id]
    own_label, first = narratives["manual_flag_ind"], choice.read[0]
    incidents = cells[has_id & ~is_skipped].groupby("incident_id")["manual_flag"].max().dropna()
    kinds = how.types
    names = [str(candidate.table.name) for candidate in choice.read if candidate.table.name is not None]
    asked = narratives[~narratives["is_placeholder"]]
    return DataQuality(
        file=path.name,
        layout=first.match.layout,
        sheet=(names[0] if len(names) == 1 else names) if names else None,
        sheets_unread=[
            UnreadSheet(
                str(candidate.table.name),
                candidate.table.is_hidden,
                candidate.match.layout if candidate.match.complete else "",
            )
            for candidate in choice.left
        ],
        columns_unread=list(dict.fromkeys(_unread(choice, collected, how))),
        rows_read=collected.rows_read,
        rows_empty=collected.rows_empty,
        narratives=_counts(narratives, kinds),
        labelled=_counts(narratives[own_label.notna()], kinds),
        positive=_counts(narratives[own_label.fillna(0) == 1], kinds),
        labelled_incidents=LabelledIncidents(len(incidents), int((incidents == 1).sum())),
        blanks_skipped=_counts(blanks, kinds),
        blank_labels=_blank_labels(blank_labels, names),
        duplicates_dropped=Duplicates(
            len(judged.dropped),
            list(
                zip(
                    judged.dropped["incident_id"].head(_LISTED_DUPLICATES),
                    judged.dropped["narrative_type"].head(_LISTED_DUPLICATES),
                    strict=True,
                )
            ),
        ),
        repeats=judged.repeats,
        without_id=WithoutId(len(without_id), without_id["row"].unique()[:_LISTED].tolist()),
        odd_labels=OddLabels(len(odd), list(odd[:_LISTED])),
        unreadable_cells=collected.unreadable,
        placeholders=Placeholders(
            "skip" if how.skips_placeholders else "ask",
            _counts(placeholders, kinds),
            _examples(placeholders, choice, collected),
        ),
        short_texts=_some(asked[asked["characters"] < _SHORT_CHARACTERS], choice),
        repeated_texts=_repeated(asked, choice),
        probably_cut=_some(narratives[narratives["is_at_limit"]], choice),
        longest=_longest(narratives),
        warnings=objections.warnings,
        tells_all=how.rules.tells_all,
    )


def _blank_labels(blanks: pd.DataFrame, sheets: Sequence[str]) -> BlankLabels:
    positive = blanks[blanks["manual_flag_ind"] == 1].sort_index()
    keys = zip(positive["incident_id"], positive["narrative_type"], row_names(positive, sheets), strict=True)
    listed = [BlankLabel(str(incident_id), str(kind), row) for incident_id, kind, row in islice(keys, _LISTED_BLANKS)]
    return BlankLabels(len(blanks), len(positive), listed)


def _unread(choice: Choice, collected: Collected, how: Reading) -> list[str]:
    """The names of the columns that belong to no layout."""
    if how.rules.tells_all:
        return collected.others.names
    return [name for candidate in choice.read for name in candidate.match.others(candidate.header).values()]


def _counts(rows: pd.DataFrame, kinds: Sequence[str]) -> Counts:
    types = rows["narrative_type"]
    return Counts(len(rows), {kind: int((types == kind).sum()) for kind in kinds})


def _addresses(rows: pd.DataFrame, choice: Choice) -> list[str]:
    """The cells as a person would look them up, after the name of their sheet if there are several."""
    addresses = []
    for sheet, row, column in zip(rows["sheet"], rows["row"], rows["column"], strict=True):
        table = choice.read[sheet].table
        address = table.address(row, column)
        addresses.append(f"{table.name}!{address}" if len(choice.read) > 1 else address)
    return addresses


def _some(rows: pd.DataFrame, choice: Choice) -> SomeCells:
    return SomeCells(len(rows), _addresses(rows.head(_LISTED), choice))


def _examples(placeholders: pd.DataFrame, choice: Choice, collected: Collected) -> list[PlaceholderText]:
    """The most frequent of these texts, which may be shown because they say nothing."""
    sizes = placeholders.groupby("digest", sort=False).size().sort_values(ascending=False, kind="stable")
    firsts = placeholders.drop_duplicates("digest").set_index("digest").loc[sizes.index[:_LISTED]]
    return [
        PlaceholderText(collected.texts[text].strip()[:_PLACEHOLDER_CHARACTERS], int(sizes[digest]), address)
        for digest, text, address in zip(firsts.index, firsts["text"], _addresses(firsts, choice), strict=True)
    ]


def _repeated(asked: pd.DataFrame, choice: Choice) -> RepeatedTexts:
    sizes = asked.groupby("digest", sort=False).size()
    often = sizes[sizes >= _OFTEN].sort_values(ascending=False, kind="stable")
    firsts = asked.drop_duplicates("digest").set_index("digest").loc[often.index[:_LISTED]]
    examples = [
        RepeatedText(int(often[digest]), int(characters), address)
        for digest, characters, address in zip(
            firsts.index, firsts["characters"], _addresses(firsts, choice), strict=True
        )
    ]
    return RepeatedTexts(int(often.sum()), examples)


def _longest(narratives: pd.DataFrame) -> list[LongNarrative]:
    lengths = narratives["characters"].nlargest(_LISTED_LONGEST)
    rows = narratives.loc[lengths.index]
    return [
        LongNarrative(incident_id, kind, int(characters))
        for incident_id, kind, characters in zip(
            rows["incident_id"], rows["narrative_type"], rows["characters"], strict=True
        )
    ]
