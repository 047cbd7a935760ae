"""What a user reads about a workbook, at the start and in preflight: a line for each thing to know."""

from collections.abc import Sequence

from narrative_runs.source.quality import DataQuality, Placeholders

_LISTED_COLUMNS = 20
_SHOWN = 5


def summary_lines(quality: DataQuality) -> list[str]:
    """The lines about a workbook in the terminal: one, and one more for each thing that needs attention."""
    kept, blanks = quality.narratives, quality.blanks_skipped
    lines = [
        f"{quality.rows_read} rows, {kept.total} narratives ({kept.words()}); "
        f"{blanks.total} blank narratives skipped; {quality.duplicates_dropped.total} duplicates dropped"
    ]
    if quality.tells_all and quality.sheet:
        lines.insert(0, _sheet_line(quality))
    lines += [*_label_lines(quality), *_left_out_lines(quality), *_doubtful_lines(quality)]
    if quality.tells_all and quality.columns_unread:
        lines.append(_list("Other columns are copied into the results", quality.columns_unread, _LISTED_COLUMNS))
    return lines + [f"WARNING: {warning}" for warning in quality.warnings]


def _sheet_line(quality: DataQuality) -> str:
    names = [quality.sheet] if isinstance(quality.sheet, str) else quality.sheet or []
    read = f"{'Sheet' if len(names) == 1 else 'Sheets'} {', '.join(map(repr, names))} of {quality.file}"
    unread = [f"{'hidden ' if sheet.hidden else ''}{sheet.name!r}" for sheet in quality.sheets_unread]
    return f"{read} (not read: {', '.join(unread)})" if unread else read


def _label_lines(quality: DataQuality) -> list[str]:
    incidents = quality.labelled_incidents
    if quality.labelled.total:
        return [f"{quality.labelled.total} of them labelled, {quality.positive.total} positive"]
    if incidents.total:
        return [
            f"{incidents.total} incidents labelled, {incidents.positive} positive; no narrative has a label of its "
            "own, so only incidents will be measured"
        ]
    if quality.tells_all:
        return ["No labels were found, so nothing will be measured against them."]
    if quality.columns_unread:
        columns = ", ".join(quality.columns_unread[:_LISTED_COLUMNS])
        return [f"No labels were found, so nothing will be measured against them. Columns not read: {columns}"]
    return []


def _left_out_lines(quality: DataQuality) -> list[str]:
    lines = []
    if quality.duplicates_dropped.total:
        shown = [f"{incident} {kind}" for incident, kind in quality.duplicates_dropped.ids]
        lines.append(_list("Dropped (the first was kept)", shown, total=quality.duplicates_dropped.total))
    if quality.tells_all and quality.repeats.other_label:
        shown = [
            f"{repeat.incident_id} {repeat.narrative_type} (rows {', '.join(map(str, repeat.rows))})"
            for repeat in quality.repeats.listed
        ]
        what = f"WARNING: {quality.repeats.other_label} keys are repeated with another label, and now have none"
        lines.append(_list(what, shown, total=quality.repeats.other_label))
    if quality.tells_all and quality.blank_labels.positive:
        shown = [
            f"{blank.incident_id} {blank.narrative_type} (row {blank.row})" for blank in quality.blank_labels.listed
        ]
        what = (
            f"WARNING: {quality.blank_labels.positive} narratives are labelled 1 and have no text; their incidents "
            "count in no rate of incidents"
        )
        lines.append(_list(what, shown, total=quality.blank_labels.positive))
    if quality.without_id.total:
        rows = ", ".join(str(row) for row in quality.without_id.rows[:_SHOWN])
        more = ", ..." if len(quality.without_id.rows) > _SHOWN else ""
        lines.append(f"{quality.without_id.total} narratives left out because they have no id (rows {rows}{more})")
    if quality.odd_labels.total:
        shown = [f"row {odd.row} {odd.column} {odd.value!r}" for odd in quality.odd_labels.examples]
        lines.append(_list(f"{quality.odd_labels.total} odd labels", shown, total=quality.odd_labels.total))
    return lines


def _doubtful_lines(quality: DataQuality) -> list[str]:
    """What a person would want to know before trusting a number."""
    if not quality.tells_all:
        return []
    lines = [
        _list(f"WARNING: {cells.column}: {cells.total} {cells.problem}, taken as blank", cells.cells, total=cells.total)
        for cells in quality.unreadable_cells
    ]
    lines += _placeholder_lines(quality.placeholders)
    if quality.short_texts.total:
        what = f"{quality.short_texts.total} very short texts"
        lines.append(_list(what, quality.short_texts.cells, total=quality.short_texts.total))
    if quality.repeated_texts.total:
        shown = [f"{text.cell} {text.count} times" for text in quality.repeated_texts.examples]
        lines.append(_list(f"{quality.repeated_texts.total} narratives share their text with others", shown))
    if quality.probably_cut.total:
        what = (
            f"WARNING: {quality.probably_cut.total} texts have exactly the maximum length of an Excel cell, and "
            "were probably cut off"
        )
        lines.append(_list(what, quality.probably_cut.cells, total=quality.probably_cut.total))
    return lines


def _placeholder_lines(placeholders: Placeholders) -> list[str]:
    if not placeholders.counts.total:
        return []
    shown = [f"{example.text!r} {example.count} times ({example.cell})" for example in placeholders.examples]
    what = f"{placeholders.counts.total} placeholders instead of narratives ({placeholders.counts.words()})"
    handling = (
        "They are skipped (data.placeholders)."
        if placeholders.handling == "skip"
        else "They are asked about like any text; data.placeholders: skip leaves them out."
    )
    return [f"{_list(what, shown)}. {handling}"]


def _list(what: str, shown: Sequence[str], most: int = _SHOWN, total: int | None = None) -> str:
    count = len(shown) if total is None else total
    more = f" and {count - most} more" if count > most and total is not None else ", ..." if count > most else ""
    return f"{what}: {', '.join(shown[:most])}{more}"
