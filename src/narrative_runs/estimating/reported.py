"""The report with the estimates in it: written again, without asking anything."""

from narrative_runs import __version__, experiment
from narrative_runs.errors import FindingsError
from narrative_runs.experiment import ExperimentState
from narrative_runs.jobs.report import write_report
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.run_context import RunContext


def report_anew(folder: ExperimentFolder, state: ExperimentState) -> None:
    """Write figures and report of a completed experiment, as its last run did.

    Raises:
        FindingsError: what the report is made from is missing.
    """
    params = check(experiment.last_params(folder, state), str(folder.description))
    # No session: a report tells of those in the journals alone.
    context = RunContext(
        slug=folder.slug,
        experiment_id=state.experiment_id,
        source_md5=state.source_md5,
        reading_rules=state.reading_rules,
        params=params,
        session=0,
        retry_errors=False,
        retry_categories=(),
        began_at=state.began_at,
        session_began_at="",
        host="",
        git_commit=None,
        software_version=__version__,
    )
    try:
        write_report(context)
    except FileNotFoundError as error:
        missing = error.filename or str(error)
        raise FindingsError(
            f"The estimates are in {folder.estimates}, and not in the report yet, as a file is missing: {missing}. "
            f"Start the run of {folder.slug} again: it and the report are made anew, and nothing is asked."
        ) from None
