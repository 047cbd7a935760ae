"""The job that asks again for the narratives whose result in the record is an error, when it is forced.

What it found lies in retry journals of its own. Whether forced or not, it writes retries.parquet from them. A pass over
a narrative is numbered one higher than the record's attempt_count, which only the merge raises: so a retry that was
killed half-way knows what it has asked, and what is still to be asked.
"""

import json
from collections.abc import Collection, Iterator
from typing import Any

from narrative_runs import journal, results_file
from narrative_runs.asking.request import Question
from narrative_runs.jobs.ask import Open
from narrative_runs.jobs.classify import ask_all, kept_journal
from narrative_runs.journal import Place
from narrative_runs.params import Params, check
from narrative_runs.places import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.results import Result, result_of
from narrative_runs.session.link import Link
from narrative_runs.session.lock import hold_as_child
from narrative_runs.source.shards import Narrative, iterate_all

Key = tuple[str, str]


async def retry_errors(link: Link) -> int:
    """Ask again for all error rows if that was forced; returns the number of rows in retries.parquet.

    Raises:
        ServerError: the run was stopped before all were asked.
        JournalError: an answer cannot be kept.
    """
    folder = ExperimentFolder(link.settings["slug"])
    hold_as_child(folder.path)
    params = check(link.settings["params"], "the session's params")
    if link.settings["retry_errors"]:
        await link.record_is_current()
        await _ask_again(folder, params, link)
    return write_retries(folder, params)


def write_retries(folder: ExperimentFolder, params: Params) -> int:
    """Write retries.parquet from the retry journals: of each narrative the last pass; returns the number of rows."""
    found, question = passes(folder), Question(params)

    def results() -> Iterator[Result]:
        for narrative in _narratives(folder, params) if found else ():
            attempts = found.get(question.fingerprint(narrative))
            if attempts:
                yield result_of(narrative, attempts[max(attempts)].read())

    return results_file.write(results(), folder.retries)


async def _ask_again(folder: ExperimentFolder, params: Params, link: Link) -> None:
    question = Question(params)
    errors = error_rows(link.settings["head"]["experiment_id"], link.settings["retry_categories"])
    asked = passes(folder)
    still_open: list[Open] = []
    for narrative in _narratives(folder, params):
        row = errors.get((narrative.incident_id, narrative.narrative_type))
        if row is None:
            continue
        attempt = (row["attempt_count"] or 1) + 1
        if attempt not in asked.get(question.fingerprint(narrative), {}):
            first_error = row["first_error_message"] or row["error_message"]
            still_open.append(Open(narrative, len(still_open) + 1, attempt, first_error))
    link.say("tell " + json.dumps(f"Asking again for {len(still_open)} narratives with an error."))
    async with kept_journal(folder, link, journal.RETRY) as kept:
        await ask_all(iter(still_open), question, params, link, kept)


def passes(folder: ExperimentFolder) -> dict[str, dict[int, Place]]:
    """Where the answers of retries lie, by fingerprint and number of the pass."""
    found: dict[str, dict[int, Place]] = {}
    for path in journal.files(folder.journals, journal.RETRY):
        for place, entry in journal.entries(path):
            found.setdefault(entry["fingerprint"], {})[entry["attempt"]] = place
    return found


def error_rows(experiment_id: str, categories: Collection[str] = ()) -> dict[Key, dict[str, Any]]:
    """The rows of the record that are errors, by narrative; categories: of these alone, where there are any."""
    rows = database.query(
        "SELECT incident_id, narrative_type, attempt_count, error_message, first_error_message, "
        "coalesce(error_category, 'unknown') AS category "
        "FROM narrative_results WHERE experiment_id = ? AND error_occurred = 1",
        (experiment_id,),
    )
    wanted = (row for row in rows if not categories or row["category"] in categories)
    return {(row["incident_id"], row["narrative_type"]): row for row in wanted}


def _narratives(folder: ExperimentFolder, params: Params) -> Iterator[Narrative]:
    return iterate_all(folder, params.shards.count, params.run.max_narratives)
