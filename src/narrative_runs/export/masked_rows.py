"""Rows without text, masked, so that nobody counts in them what `report.suppress_below` masks in the report."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from narrative_runs.findings.columns import OUTCOME_COLUMNS
from narrative_runs.findings.suppression import DETECTIONS, ERRORS, LABELS, Part, part_of, protect

# By these, or by the order of the rows, the narratives of one incident are found.
LEFT_OUT = ("row_num", "incident", "manual_flag")
_OF_DETECTIONS = ("detected", "confidence", "p_detected", *OUTCOME_COLUMNS)
_OF_LABELS = ("manual_flag_ind", *OUTCOME_COLUMNS)


def masked_rows(rows: pd.DataFrame, others: Sequence[str], below: int) -> pd.DataFrame:
    """The rows of `without_text` with blanks for what would tell small counts, in an order that tells nothing.

    In: others, the workbook's columns in them; below: the limit, above 0. Blank are: these columns where few rows have
    the same values; labels, detections and these columns of errors, where few rows of a narrative type, or of one with
    such values, have the same; and further ones, with which the blank ones could be counted. Missing altogether are
    LEFT_OUT.
    """
    masked = rows.drop(columns=list(LEFT_OUT))
    if others:
        _blank(masked, _rare(masked, others, below), others)
    kinds = _joined(masked[["narrative_type", *others]])
    parts = {name: _part(masked[kinds == name]) for name in kinds.unique()}
    for part in parts.values():
        part.mask_small(below)
    margins = [
        (_part(masked[inside]), [parts[name] for name in kinds[inside].unique()]) for inside in _margins(masked, others)
    ]
    for whole, _ in margins:
        whole.mask_small(below)
        # They tell of the run.
        whole.masked.discard(ERRORS)
    while sum(protect(whole, inside, below) for whole, inside in margins):
        pass
    is_error, is_labelled = masked["error_occurred"], masked["manual_flag_ind"].notna()
    hidden = {
        facet: kinds.map({name: facet in part.masked for name, part in parts.items()})
        for facet in (DETECTIONS, LABELS, ERRORS)
    }
    _blank(masked, hidden[DETECTIONS] & (hidden[LABELS] | ~is_labelled), _OF_DETECTIONS)
    _blank(masked, hidden[LABELS], _OF_LABELS)
    _blank(masked, hidden[ERRORS] & is_error, others)
    return masked.sort_values(list(masked.columns), ignore_index=True, na_position="last")


def _rare(rows: pd.DataFrame, others: Sequence[str], below: int) -> pd.Series:
    """Of which rows the values are rare in a narrative type, or are needed so that the rare ones are not the only blank
    ones, and not few together."""
    combined = _joined(rows[list(others)])
    sizes = pd.crosstab(combined, rows["narrative_type"])
    is_rare = ((sizes > 0) & (sizes < below)).any(axis=1)
    ordered = sizes.assign(is_common=~is_rare, size=sizes.sum(axis=1)).sort_values(["is_common", "size"]).index
    n_rare = int(is_rare.sum())
    while 0 < n_rare < len(ordered):
        together = sizes.loc[ordered[:n_rare]].sum()
        if n_rare > 1 and not ((together > 0) & (together < below)).any():
            break
        n_rare += 1
    return combined.isin(ordered[:n_rare])


def _joined(values: pd.DataFrame) -> pd.Series:
    texts = values.astype("string").fillna("")
    joined: pd.Series = texts.agg("\x1f".join, axis=1)
    return joined


def _margins(rows: pd.DataFrame, others: Sequence[str]) -> Iterator[pd.Series]:
    """Whose counts a reader may know from the report: all, those of each narrative type, and of each group."""
    yield pd.Series(True, index=rows.index)
    for column in ("narrative_type", *others):
        values = rows[column].astype("string").fillna("")
        for value in values.unique():
            yield values == value


def _part(rows: pd.DataFrame) -> Part:
    """The counts of some rows."""
    answered = rows[~rows["error_occurred"]]
    detected = answered["detected"].fillna(False).astype(bool).to_numpy()
    label = answered["manual_flag_ind"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    cells = [
        int((detected & (label == 1)).sum()),
        int((detected & (label == 0)).sum()),
        int((~detected & (label == 1)).sum()),
        int((~detected & (label == 0)).sum()),
    ]
    return part_of(len(answered), int(detected.sum()), cells, int(rows["error_occurred"].sum()))


def _blank(rows: pd.DataFrame, where: pd.Series, columns: Sequence[str]) -> None:
    for column in columns:
        rows[column] = rows[column].mask(where)
