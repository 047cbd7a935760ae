"""`narrative-runs review disagreements`: the narratives on which coders do not agree, as a sheet for who decides."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd

from narrative_runs import __version__, review_file
from narrative_runs.errors import FindingsError
from narrative_runs.export.export import ENDINGS
from narrative_runs.findings.rounding import count_of
from narrative_runs.review_file import ADJUDICATION, DEALT, Line
from narrative_runs.reviews import experiment_read
from narrative_runs.reviews.dealing import TIME
from narrative_runs.reviews.drawing import in_random_order, letters
from narrative_runs.reviews.reviewed import counting_verdicts
from narrative_runs.reviews.sheet import about, checksum_of_text, review_sheet, write_review
from narrative_runs.reviews.texts import texts_of
from narrative_runs.reviews.truth import disagreements
from narrative_runs.user_files import check_free, check_git_ignores

_KEY = ["incident_id", "narrative_type"]


def write_disagreements(
    which: str, variable: str, output: Path | None, force: bool, tell: Callable[[str], None]
) -> None:
    """Write the open disagreements on a variable (the first binary one where it is empty) as a sheet, each with the
    verdicts and notes of all coders; filled in, it comes back by `review import`, and its verdicts decide.

    tell: shows a line to the user.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there is no such experiment or variable, or the file cannot be written.
        ReviewsError: the reviews cannot be read or written.
    """
    read = experiment_read.read(which, variable)
    folder, name = read.experiment.folder, read.name
    by_name = "" if read.experiment.codebook.fits_the_record else f"_{name}"
    usual = folder.path / f"disagreements{by_name}.xlsx"
    path = output or usual
    if path.suffix.lower() not in ENDINGS:
        raise FindingsError(f"--output {path}: the file name must end in {' or '.join(ENDINGS)}.")
    with review_file.opened(folder) as reviews:
        verdicts = counting_verdicts(name, read.population, reviews.lines)
        still_open = disagreements(read.variable, verdicts)
        if not still_open:
            tell(f"{folder.slug}: there is no open disagreement on {name}.")
            return
        check_free([path], force)
        check_git_ignores(path, usual)
        texts = texts_of(read, still_open)
        coders = sorted({coder for of in still_open.values() for coder in of})
        order = {
            incident: position for position, incident in enumerate(in_random_order({key[0] for key in still_open}, 1))
        }
        keys = sorted(still_open, key=lambda key: (order[key[0]], key[1]))
        shown = pd.DataFrame(
            [
                {
                    "incident_id": key[0],
                    "narrative_type": key[1],
                    "narrative_text": texts[key],
                    **{f"verdict_of_{coder}": _of(still_open[key].get(coder), "verdict") for coder in coders},
                    **{f"notes_of_{coder}": _of(still_open[key].get(coder), "notes") for coder in coders},
                }
                for key in keys
            ]
        )
        strata = {key: next(iter(of.values())).stratum for key, of in still_open.items()}
        deal = _deal(read.experiment.state.experiment_id, name, keys, strata, texts)
        if deal["deal"] not in review_file.deals(reviews.lines):
            reviews.append([deal])
    index = pd.MultiIndex.from_frame(shown[_KEY])
    sheet = review_sheet(pd.DataFrame(deal["rows"]), shown.set_axis(index))
    facts = {"experiment": folder.slug, "experiment_id": deal["experiment_id"], "deal": deal["deal"], "variable": name}
    write_review(sheet, read.variable, about(read.variable, {**facts, "purpose": "your verdict decides"}), path)
    tell(f"{path}: {count_of(len(keys), 'narrative')} on which coders disagree about {name}.")
    tell(f"When it is filled in: `narrative-runs review import {path} --coder NAME`")


def _of(verdict: review_file.Verdict | None, what: str) -> str | None:
    return None if verdict is None else str(getattr(verdict, what)) or None


def _deal(
    experiment_id: str,
    name: str,
    keys: list[tuple[str, str]],
    strata: dict[tuple[str, str], str],
    texts: dict[tuple[str, str], str],
) -> Line:
    deal_id = letters(experiment_id, name, ADJUDICATION, [list(key) for key in keys])
    return {
        "line": DEALT,
        "deal": deal_id,
        "experiment_id": experiment_id,
        "variable": name,
        "purpose": ADJUDICATION,
        "dealt_at": datetime.now().strftime(TIME),
        "software_version": __version__,
        "rows": [
            {
                "row": letters(deal_id, incident, kind),
                "incident_id": incident,
                "narrative_type": kind,
                "stratum": strata[incident, kind],
                "position": position,
                "text": checksum_of_text(texts[incident, kind]),
            }
            for position, (incident, kind) in enumerate(keys, start=1)
        ],
    }
