"""The job that asks again for the narratives whose result is an error, when it is forced; it always tells its findings."""

from narrative_runs import results_file
from narrative_runs.places import ExperimentFolder
from narrative_runs.session.attend import attend


def retry_errors() -> int:
    """Write retries.parquet from the retry journals."""
    settings = attend("retry_errors")
    return results_file.write([], ExperimentFolder(settings["slug"]).retries)
