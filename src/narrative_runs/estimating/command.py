"""The command `narrative-runs estimate`."""

from collections.abc import Callable

from rich.console import RenderableType
from rich.text import Text

from narrative_runs import run_lock
from narrative_runs.errors import AlreadyRunning, FindingsError
from narrative_runs.estimating.content import estimates_of, experiment_named
from narrative_runs.estimating.files import write_estimates
from narrative_runs.estimating.planned import planned_reviews, shown_plan
from narrative_runs.estimating.printed import shown_estimates
from narrative_runs.estimating.reported import report_anew
from narrative_runs.findings.estimates_file import Wish, read_estimates, wish_of
from narrative_runs.paths import ExperimentFolder

Tell = Callable[[RenderableType], None]


def estimate(which: str, wish: Wish, tell: Tell) -> None:
    """Write estimates.json and estimates.csv of an experiment (slug, id, or empty for the one started last), and its
    report again, and show them; asks nothing, and can be repeated.

    tell: shows something to the user.

    Raises:
        AlreadyRunning: its answers are still coming.
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there is no such experiment, variable or column, or an estimate would have no ground.
        ReviewsError: the reviews are not as they were written.
    """
    folder, state = experiment_named(which)
    if run_lock.is_running(folder.path):
        raise AlreadyRunning(f"{folder.slug} is running: {run_lock.holder(folder.path)}. Wait until it has ended.")
    estimates = estimates_of(folder.slug, wish)
    replaced = about_replaced(folder, wish)
    write_estimates(estimates.content, folder)
    if replaced:
        tell(Text(replaced))
    report_anew(folder, state)
    for part in shown_estimates(estimates):
        tell(part)


def about_replaced(folder: ExperimentFolder, wish: Wish) -> str:
    """What the present estimates.json was made with, and the command that makes it again, where other estimates take
    its place; empty where there is none, where the same command made it, and where nobody can read it."""
    try:
        content = read_estimates(folder)
        if content is None or (earlier := wish_of(content, folder)) == wish:
            return ""
        sources = {each["source"]: None for each in content["variables"].values()}
    except (FindingsError, KeyError, TypeError, AttributeError):
        return ""
    command = earlier.command(folder.slug)
    return (
        f"This replaces the estimates that were made by `{command}`, from {' and '.join(sources)}. That command makes "
        "them again."
    )


def plan_reviews(which: str, variable: str, width: float, tell: Tell) -> None:
    """Show how many reviews an interval of this width takes; changes nothing.

    Raises:
        NarrativeRunsError: as `planned_reviews`.
    """
    for part in shown_plan(planned_reviews(which, variable, width), width):
        tell(part)
