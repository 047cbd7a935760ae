"""The job that asks again for the narratives whose result is an error, when it is forced."""

from narrative_runs import results_file
from narrative_runs.places import ExperimentFolder
from narrative_runs.session.attend import Attendance


def retry_errors(job: Attendance) -> int:
    """Write retries.parquet from the retry journals."""
    return results_file.write([], ExperimentFolder(job.settings["slug"]).retries)
