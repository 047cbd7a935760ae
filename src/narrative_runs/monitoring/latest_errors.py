"""The latest message of each category of error, from the end of an experiment's errors.log."""

import re
from dataclasses import dataclass

from narrative_runs.paths import ExperimentFolder
from narrative_runs.results import ERROR_CATEGORIES

# That of some hundreds of errors; whatever a log has grown to, no more of it is read.
READ_BYTES = 64 * 1024

_LINE = re.compile(rf"(?P<when>\S+ \S+) ERROR .*? \w+ (?P<category>{'|'.join(ERROR_CATEGORIES)}): (?P<message>.*)")


@dataclass(frozen=True)
class LatestError:
    """The message of a category's latest error, and the local time at which it was written."""

    when: str
    message: str


def latest_errors(folder: ExperimentFolder) -> dict[str, LatestError]:
    """The latest error by category, among those at the end of the log; none where there is no log."""
    try:
        with (folder.logs / "errors.log").open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - READ_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return {}
    matches = (match for match in map(_LINE.fullmatch, lines) if match)
    return {match["category"]: LatestError(match["when"], match["message"]) for match in matches}
