"""Which experiments mask small counts, as their reports do."""

from functools import lru_cache

from narrative_runs import experiment
from narrative_runs.errors import NarrativeRunsError
from narrative_runs.findings.suppression import MASKED
from narrative_runs.monitoring.experiments import ExperimentRow
from narrative_runs.monitoring.listing import COLUMNS, MEASURES, cells_of
from narrative_runs.page.file_states import FileState, state_of_file
from narrative_runs.paths import ExperimentFolder


def suppress_below(known: ExperimentRow) -> int:
    """The limit below which an experiment's counts are masked; 0 if none are, or if its folder is not here."""
    return _limit(known.folder, state_of_file(known.folder.description)) if known.row.get("slug") else 0


@lru_cache(maxsize=1024)
def _limit(folder: ExperimentFolder, _: FileState) -> int:
    """Read again only after a session has described the experiment again, as each one does."""
    try:
        state = experiment.find(folder) if folder.path.is_dir() else None
    except NarrativeRunsError:
        return 0
    return 0 if state is None else experiment.suppress_below(folder, state)


def cells_shown(known: ExperimentRow) -> list[str]:
    """The cells of an experiment in the list of all, for each of COLUMNS; measures of one that masks are masked."""
    cells = cells_of(known)
    if not suppress_below(known):
        return cells
    return [MASKED if cell and name in MEASURES else cell for name, cell in zip(COLUMNS, cells, strict=True)]
