"""Which narratives are asked again when retrying is forced.

A pass over a narrative is numbered one higher than the record's attempt_count, which only the merge raises: so a retry
that was killed half-way knows what it has asked, and what is still to be asked.
"""

from narrative_runs import journal
from narrative_runs.asking.ask import Open
from narrative_runs.asking.request import Question
from narrative_runs.record.error_rows import error_rows
from narrative_runs.run_context import RunContext
from narrative_runs.source.shards import iterate_all


def narratives_with_errors(context: RunContext, question: Question, number: int) -> list[Open]:
    """The narratives whose result in the record is an error, and that were not asked again since.

    number: of the retry among the shards that are asked.
    """
    params, folder = context.params, context.folder
    errors = error_rows(context.experiment_id, context.retry_categories)
    asked = journal.passes(folder.journals)
    rows: list[Open] = []
    for narrative in iterate_all(folder, params.shards.count, params.run.max_narratives):
        row = errors.get((narrative.incident_id, narrative.narrative_type))
        if row is None:
            continue
        attempt, fingerprint = (row["attempt_count"] or 1) + 1, question.fingerprint(narrative)
        if attempt not in asked.get(fingerprint, {}):
            first_error = row["first_error_message"] or row["error_message"]
            rows.append(Open(narrative, (number, len(rows) + 1), fingerprint, attempt, first_error))
    return rows
