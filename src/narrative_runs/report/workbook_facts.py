"""What a reader should know of the workbook before trusting a number, in sentences; no narrative, and no id.

Files of the first release hold less: only what is there, and is not zero, is reported.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from narrative_runs.data_columns import type_title
from narrative_runs.findings.rounding import count_of
from narrative_runs.findings.suppression import counted

_LISTED = 10
_CELL_LIMIT = 32_767


class WorkbookFact(NamedTuple):
    """One thing to know: its name, and sentences about it, one a line."""

    name: str
    words: str


def workbook_facts(quality: dict[str, Any]) -> list[WorkbookFact]:
    """The facts of a workbook in the order in which they matter; in: the content of data_quality.json."""
    sentences_by_name = {
        "Sheet": _sheet(quality.get("sheet")),
        "Sheets not read": _sheets_unread(quality.get("sheets_unread") or []),
        "Cells without a value": _unreadable(quality.get("unreadable_cells") or []),
        "Placeholders": _placeholders(quality.get("placeholders") or {}),
        "Very short texts": _short(quality.get("short_texts") or {}),
        "Repeated texts": _repeated(quality.get("repeated_texts") or {}),
        "Texts cut off": _cut(quality.get("probably_cut") or {}),
        "Repeated narratives": _repeats(quality.get("repeats") or {}),
        "Labels without a text": _blank_labels(quality.get("blank_labels") or {}),
        "Labelled incidents": _labelled(quality.get("labelled_incidents") or {}),
    }
    lines = {name: list(sentences) for name, sentences in sentences_by_name.items()}
    return [WorkbookFact(name, "\n".join(sentences)) for name, sentences in lines.items() if sentences]


def listed(names: str | Sequence[str]) -> str:
    """One name, or several, as a sentence lists them."""
    return names if isinstance(names, str) else ", ".join(names)


def _sheet(sheet: str | list[str] | None) -> Iterator[str]:
    if sheet:
        yield f"{listed(sheet)} {'was' if isinstance(sheet, str) or len(sheet) == 1 else 'were'} read."


def _sheets_unread(sheets: list[dict[str, Any]]) -> Iterator[str]:
    for sheet in sheets:
        looks = f", with the columns of narratives ({sheet['layout']} layout)" if sheet.get("layout") else ""
        rows = f", {count_of(sheet['rows'], 'row')}" if sheet.get("rows") else ""
        yield f"{sheet['name']}{rows}{', hidden' if sheet.get('hidden') else ''}{looks}."


def _unreadable(columns: list[dict[str, Any]]) -> Iterator[str]:
    for each in columns:
        cells = _among(each["cells"], each["total"])
        yield f"{each['column']}: {count_of(each['total'], 'cell')} taken as blank, being {each['problem']} ({cells})."


def _placeholders(placeholders: dict[str, Any]) -> Iterator[str]:
    if not placeholders.get("total"):
        return
    by_type = [
        f"{type_title(name)} {value:,}"
        for name, value in placeholders.items()
        if name != "total" and isinstance(value, int) and value
    ]
    yield f"Instead of a narrative: {placeholders['total']:,} ({', '.join(by_type)})."
    if placeholders.get("handling") == "skip":
        yield "They were skipped: the model was not asked, and they count in no rate."
    else:
        yield "The model was asked about them, and they count as any other narrative does."
    for example in placeholders.get("examples", ())[:_LISTED]:
        yield f"“{example['text']}”: {_times(example['count'])}, first in {example['cell']}."


def _short(short: dict[str, Any]) -> Iterator[str]:
    if short.get("total"):
        cells = _among(short["cells"], short["total"])
        yield f"{count_of(short['total'], 'narrative')} of a few characters, besides placeholders: {cells}."


def _repeated(repeated: dict[str, Any]) -> Iterator[str]:
    if not repeated.get("total"):
        return
    yield f"{count_of(repeated['total'], 'narrative')} with a text that stands in three or more places, word for word."
    for example in repeated.get("examples", ())[:_LISTED]:
        length = count_of(example["characters"], "character")
        yield f"A text of {length}: {_times(example['count'])}, first in {example['cell']}."


def _cut(cut: dict[str, Any]) -> Iterator[str]:
    if cut.get("total"):
        cells = _among(cut["cells"], cut["total"])
        yield (
            f"{count_of(cut['total'], 'narrative')} of {_CELL_LIMIT:,} characters, the most that Excel can hold, "
            f"probably lost the rest: {cells}."
        )


def _repeats(repeats: dict[str, Any]) -> Iterator[str]:
    kinds = {
        "same": "with the same text and label; the first was kept.",
        "other_label": "with another label; kept once, without a label.",
        "other_text": "with another text; the first was kept.",
    }
    for kind, what in kinds.items():
        if repeats.get(kind):
            yield f"{repeats[kind]:,} {what}"
    differing = [each for each in repeats.get("listed", ()) if each.get("differs")]
    for each in differing[:_LISTED]:
        rows = ", ".join(str(row) for row in each["rows"])
        yield f"{type_title(each['narrative_type'])}, rows {rows}: the {each['differs']} differs."
    if len(differing) > _LISTED:
        yield f"And {len(differing) - _LISTED:,} more."


def _blank_labels(blank_labels: dict[str, Any]) -> Iterator[str]:
    if blank_labels.get("positive"):
        rows = _among([f"row {each['row']}" for each in blank_labels["listed"]], blank_labels["positive"])
        yield (
            f"{count_of(blank_labels['positive'], 'narrative')} labelled 1 without a text ({rows}): the incident is "
            "inconsistent, and counts in no rate of incidents."
        )


def _labelled(labelled_incidents: dict[str, Any]) -> Iterator[str]:
    if labelled_incidents.get("total"):
        yield f"{counted(labelled_incidents['total'])}, of them {counted(labelled_incidents['positive'])} positive."


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _among(cells: Sequence[str], total: int) -> str:
    shown = ", ".join(cells[:_LISTED])
    left = total - min(len(cells), _LISTED)
    return f"{shown} and {left:,} more" if left > 0 else shown
