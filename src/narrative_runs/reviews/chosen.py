"""Sheets that were not dealt: samples of 0.1.0, or the disagreements in results.xlsx.

Whoever fills one in chose what to review, or nobody knows how it was drawn. Its verdicts are kept with those of coders,
as of purpose `chosen`, and enter neither metrics nor estimates.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from narrative_runs import __version__, review_file
from narrative_runs.codebook.texts import written
from narrative_runs.review_file import CHOSEN, DEALT, Line
from narrative_runs.reviews import experiment_read
from narrative_runs.reviews.dealing import TIME
from narrative_runs.reviews.drawing import letters
from narrative_runs.reviews.filled_sheet import FilledRow
from narrative_runs.reviews.sheet import checksum_of_text
from narrative_runs.reviews.texts import texts_of
from narrative_runs.reviews.typed import as_value

_KEY = ("incident_id", "narrative_type")


class Chosen(NamedTuple):
    """The rows of such a sheet as if they had been dealt. rows: with their ids; deal: the line of those that are new,
    None where none is; problems: why others cannot be taken, each with its cell."""

    rows: list[FilledRow]
    deal: Line | None
    problems: list[str]


def chosen_rows(which: str, variable: str, coder: str, rows: Sequence[FilledRow], lines: Sequence[Line]) -> Chosen:
    """Recognise each row by incident and type, or where Excel changed the id, by its text; and by the answer that it
    shows, which must be the present one.

    In: slug or id of the experiment, and the variable, the first binary one where it is empty; the coder; the rows of
    the sheet; the lines of the reviews so far.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there is no such variable.
    """
    read = experiment_read.read(which, variable)
    narratives = read.population.narratives
    keys = list(narratives[list(_KEY)].itertuples(index=False, name=None))
    predicted = dict(zip(keys, narratives["predicted"], strict=True))
    texts = {key: checksum_of_text(text) for key, text in texts_of(read, keys).items()}
    by_text: dict[str, list[tuple[str, str]]] = {}
    for key, text in texts.items():
        by_text.setdefault(text, []).append(key)
    known = review_file.dealt_rows(lines)
    problems: list[str] = []
    dealt: list[FilledRow] = []
    new: list[Line] = []
    experiment_id = read.experiment.state.experiment_id
    for row in rows:
        key = (row.cells[_KEY[0]].strip(), row.cells[_KEY[1]].strip().casefold())
        shown_text = None if row.text is None else checksum_of_text(row.text)
        if key not in texts or shown_text not in (None, texts[key]):
            alike = [other for other in by_text.get(shown_text or "", []) if other[1] == key[1]]
            if len(alike) != 1:
                problems.append(f"{row.row_address}: {read.experiment.folder.slug} has no such narrative")
                continue
            key = alike[0]
        shown = row.cells.get(read.name)
        if shown and as_value(read.variable, shown) != written(predicted[key]):
            problems.append(f"{row.row_address}: the sheet shows another answer than the one of now")
            continue
        row_id = letters(CHOSEN, experiment_id, read.name, coder, *key)
        dealt.append(row._replace(row=row_id))
        if row_id not in known and row_id not in {each["row"] for each in new}:
            own = {"row": row_id, "coder": coder, "incident_id": key[0], "narrative_type": key[1]}
            new.append({**own, "stratum": "", "position": 0, "text": texts[key]})
    deal = {
        "line": DEALT,
        "deal": letters(CHOSEN, [each["row"] for each in new]),
        "experiment_id": experiment_id,
        "variable": read.name,
        "purpose": CHOSEN,
        "dealt_at": datetime.now().strftime(TIME),
        "software_version": __version__,
        "rows": new,
    }
    return Chosen(dealt, deal if new else None, problems)
