"""`narrative-runs review import FILE --coder NAME`: takes in a filled-in sheet."""

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from narrative_runs import experiment, finished, review_file
from narrative_runs.codebook.labels import NotALabel
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import ReviewsError
from narrative_runs.findings.rounding import count_of
from narrative_runs.paths import RESULTS, ExperimentFolder
from narrative_runs.record import database
from narrative_runs.record.reviews import put_reviews
from narrative_runs.review_file import ADJUDICATION, SAMPLE, VERDICT, Line
from narrative_runs.reviews.chosen import chosen_rows
from narrative_runs.reviews.dealing import NOBODY, TIME
from narrative_runs.reviews.filled_sheet import FilledRow, filled_rows
from narrative_runs.reviews.sheet import ROW, checksum_of_text
from narrative_runs.reviews.typed import verdict_typed
from narrative_runs.source.cells import text_of

Tell = Callable[[str], None]
_SHOWN = 200


def import_review(path: Path, coder: str, which: str, tell: Tell, variable: str = "") -> None:
    """Take in the verdicts of a sheet, and say why for each cell that cannot be used; asks nothing, and can be
    repeated.

    coder: who filled it in; which: slug or id of the experiment, empty for the one to which the rows were dealt; tell:
    shows a line to the user; variable: of a sheet that was not dealt, the variable that it is about, the first binary
    one where it is empty.

    Raises:
        ReviewsError: the file is no such sheet, or of another experiment or coder, the name is blank, or the reviews
            cannot be written.
        FindingsError: there is no such experiment.
        RecordError: the record cannot be written; the verdicts are kept, and the same command does the rest.
    """
    coder = coder.strip()
    if not coder:
        raise ReviewsError("--coder is blank. Give the name of the person who filled in the sheet: --coder ana")
    rows = filled_rows(path)
    is_chosen = not any(row.row for row in rows)
    folder, state = finished.named(_named(path, which) if is_chosen else _experiment_of(path, rows, which))
    codebook = experiment.codebook_of(state.params)
    problems: list[str] = []
    with review_file.opened(folder) as reviews:
        if is_chosen:
            chosen = chosen_rows(folder.slug, variable, coder, rows, reviews.lines)
            rows, problems = chosen.rows, chosen.problems
            if chosen.deal:
                reviews.append([chosen.deal])
        known = review_file.dealt_rows(reviews.lines)
        name = _coder_in(path, coder, [known[row.row] for row in rows if row.row in known], reviews.lines)
        taken = take(rows, name, reviews.lines, codebook, datetime.now().strftime(TIME), problems)
        if taken.lines:
            reviews.append(taken.lines)
        lines = list(reviews.lines)
        with database.transaction() as connection:
            put_reviews(connection, state.experiment_id, lines)
        _into_care_of_dvc(folder)
    tell(f"{folder.reviews}: {taken.words(name)}.")
    if is_chosen:
        tell(
            "This sheet was not dealt: its verdicts are kept, and enter no estimate, since nobody can say what its "
            f"narratives stand for. A sample for estimates: `narrative-runs export {folder.slug} --review N`"
        )
    for problem in taken.problems[:_SHOWN]:
        tell(f"  not imported: {problem}")
    if len(taken.problems) > _SHOWN:
        tell(f"  and {len(taken.problems) - _SHOWN} more not imported.")
    for line in passed_over(lines, name):
        tell(line)


@dataclass
class Taken:
    """The content of a sheet: lines that are new, how many rows are of which kind, and problems with the others."""

    lines: list[Line] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def words(self, coder: str) -> str:
        """The counts in words."""
        new = count_of(self.counts["new"], "new verdict")
        kinds = ("changed", "as before", "blank", "not imported")
        return f"{coder}: {', '.join([new, *(f'{self.counts[kind]:,} {kind}' for kind in kinds)])}"


def take(
    rows: Sequence[FilledRow],
    coder: str,
    lines: Sequence[Line],
    codebook: Codebook,
    now: str,
    problems: Sequence[str] = (),
) -> Taken:
    """The verdicts in the rows of a sheet that the lines do not have yet.

    In: the rows in the order of the file; coder: the name as it was dealt, or first given; the lines so far; now: the
    time, as the record writes it; problems: of rows that cannot be used anyway.
    """
    taken, dealt = Taken(problems=list(problems)), review_file.dealt_rows(lines)
    latest = {each.key: (each.verdict, each.notes) for each in review_file.latest_verdicts(lines)}
    first: dict[str, tuple[str, FilledRow]] = {}
    doubtful = set()
    read: list[tuple[FilledRow, str]] = []
    for row in rows:
        problem, verdict = _problem(row, coder, dealt, codebook)
        if problem:
            taken.problems.append(problem)
        elif verdict is None:
            taken.counts["blank"] += 1
        elif row.row not in first:
            first[row.row] = verdict, row
            read.append((row, verdict))
        elif first[row.row][0] != verdict:
            both = f"{first[row.row][1].address} and {row.address}"
            taken.problems.append(f"{both} are verdicts on one narrative, and differ")
            doubtful.add(row.row)
    for row, verdict in read:
        if row.row in doubtful:
            continue
        line = _line(row, verdict, coder, dealt, now)
        names = ("variable", "incident_id", "narrative_type", "coder")
        key = (*(str(line[name]) for name in names), str(dealt[row.row][0]["purpose"]))
        if latest.get(key) == (verdict, row.notes):
            taken.counts["as before"] += 1
            continue
        taken.counts["changed" if key in latest else "new"] += 1
        latest[key] = verdict, row.notes
        taken.lines.append(line)
    taken.counts["not imported"] = len(taken.problems)
    return taken


def passed_over(lines: Sequence[Line], coder: str = "") -> list[str]:
    """Sentences about sheets that were not read from the top: for each stratum how many incidents were passed over
    before the last reviewed one; coder: only this one's. If a sheet was dealt to nobody, each reviewer has read a copy.
    """
    verdicts = [line for line in lines if line["line"] == VERDICT]
    reviewed = {(line["row"], line["coder"]) for line in verdicts}
    readers: dict[str, set[str]] = defaultdict(set)
    for line in verdicts:
        readers[line["deal"]].add(line["coder"])
    sentences = []
    for deal in review_file.deals(lines, purpose=SAMPLE).values():
        by_stratum: dict[tuple[str, str], dict[int, bool]] = defaultdict(dict)
        for row in deal["rows"]:
            for who in sorted(readers[deal["deal"]]) if row["coder"] == NOBODY else [row["coder"]]:
                if coder in ("", who):
                    of_sheet = by_stratum[who, row["stratum"]]
                    is_reviewed = (row["row"], who) in reviewed
                    of_sheet[row["position"]] = of_sheet.get(row["position"], True) and is_reviewed
        for (who, stratum), of_sheet in by_stratum.items():
            last = max((position for position, is_reviewed in of_sheet.items() if is_reviewed), default=0)
            if n := sum(not is_reviewed for position, is_reviewed in of_sheet.items() if position < last):
                sentences.append(f"  {who}, {deal['variable']}, {stratum}: {n} of {last}")
    if sentences:
        sentences.insert(
            0,
            "Incidents were passed over before others were reviewed. If they were chosen for what they say, the rest "
            "is no random sample: review them too.",
        )
    return sentences


def _problem(
    row: FilledRow, coder: str, dealt: Mapping[str, tuple[Line, Line]], codebook: Codebook
) -> tuple[str, str | None]:
    """Why a row cannot be used, empty where it can, and its verdict, None for a blank one."""
    if row.verdict is None:
        return "", None
    if row.row not in dealt:
        what = f"{ROW} {row.row!r} was never dealt" if row.row else f"{ROW} is blank"
        return f"{row.row_address}: {what}", None
    deal, own = dealt[row.row]
    if deal["purpose"] != ADJUDICATION and own["coder"] not in (NOBODY, coder):
        return f"{row.row_address}: {ROW} {row.row} was dealt to {own['coder']}", None
    if row.text is not None and checksum_of_text(row.text) != own["text"]:
        return f"{row.row_address}: the text is not the one of {ROW} {row.row}; were some columns sorted alone?", None
    try:
        return "", verdict_typed(codebook.variables[deal["variable"]], row.verdict)
    except NotALabel as error:
        return f"{row.address}: {text_of(row.verdict)[:40]!r}: {error}", None


def _line(row: FilledRow, verdict: str, coder: str, dealt: Mapping[str, tuple[Line, Line]], now: str) -> Line:
    deal, own = dealt[row.row]
    return {
        "line": VERDICT,
        "row": row.row,
        "deal": deal["deal"],
        "coder": coder,
        "variable": deal["variable"],
        "incident_id": own["incident_id"],
        "narrative_type": own["narrative_type"],
        "verdict": verdict,
        "typed": text_of(row.verdict),
        "notes": row.notes,
        "reviewed_at": now,
    }


def _named(path: Path, which: str) -> str:
    """The experiment that was named, for a sheet that names none.

    Raises:
        ReviewsError: none was named.
    """
    if not which:
        raise ReviewsError(
            f"{path} does not say of which experiment it is: it was not dealt. Add --experiment SLUG to keep its "
            "verdicts, which enter no estimate."
        )
    return which


def _experiment_of(path: Path, rows: Sequence[FilledRow], which: str) -> str:
    """The slug of the experiment to which the rows were dealt.

    Raises:
        ReviewsError: it is another one than `which`, there are several, or none.
    """
    ids = {row.row for row in rows}
    owners = {}
    damaged: ReviewsError | None = None
    for file in sorted(RESULTS.glob("*/reviews.jsonl")):
        folder = ExperimentFolder(file.parent.name)
        try:
            known = review_file.dealt_rows(review_file.read(folder))
        except ReviewsError as error:
            damaged = error
            continue
        if n := len(ids & known.keys()):
            owners[folder.slug] = n
    if not owners and damaged is not None:
        # The rows may be its own.
        raise damaged
    if not owners:
        raise ReviewsError(
            f"{path}: none of its rows ({len(ids)}) was dealt here, so that nothing is known of how they were drawn. "
            "Is it a sheet of another project, or of an experiment that was removed?"
        )
    wanted = finished.named(which)[0].slug if which else next(iter(owners))
    if set(owners) != {wanted}:
        shares = ", ".join(f"{count_of(n, 'row')} of {slug}" for slug, n in owners.items())
        raise ReviewsError(f"{path} holds {shares}: reviews of experiments are not mixed. Nothing was imported.")
    return wanted


def _coder_in(path: Path, coder: str, dealt: Sequence[tuple[Line, Line]], lines: Sequence[Line]) -> str:
    """The coder's name as it was dealt, or for a sheet dealt to nobody as first given, regardless of case.

    In: the name; what the rows of the sheet are of, and the lines so far.

    Raises:
        ReviewsError: the sheet is another coder's.
    """
    if not any(deal["purpose"] == SAMPLE for deal, _ in dealt):
        return coder
    names = {str(row["coder"]) for deal, row in dealt if deal["purpose"] == SAMPLE}
    if NOBODY in names:
        names |= {str(name) for deal in review_file.deals(lines, purpose=SAMPLE).values() for name in deal["coders"]}
        names |= {str(line["coder"]) for line in lines if line["line"] == VERDICT}
    own = next((name for name in sorted(names) if name.casefold() == coder.casefold()), None)
    if own is None and NOBODY in names:
        return coder
    if own is None:
        raise ReviewsError(
            f"{path} was dealt to {' and '.join(sorted(names))}, and not to {coder}. Nothing was imported. Give the "
            f"name that it was dealt to: --coder {min(names)}"
        )
    return own


def _into_care_of_dvc(folder: ExperimentFolder) -> None:
    """Have DVC track the reviews, where it tracks the journals."""
    if any(folder.journals.glob("*.dvc")):
        subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", "--no-relink", str(folder.reviews)], check=False)
