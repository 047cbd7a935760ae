"""The block that shows a run, as lines that fit any width: for the terminal that runs, and for those that watch."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from narrative_runs.session.progress import duration, percent_done
from narrative_runs.session.standing import Standing

AT_WORK = {
    "source": "the workbook is read",
    "retry_errors": "errors are asked again",
    "record": "all is merged",
    "restore_record": "the record is filled again",
    "report": "figures and report are made",
}


def block(standing: Standing) -> RenderableType:
    """A bar, and below it a line for each thing to know."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in rows(standing):
        grid.add_row(name, Text(text, style="yellow" if name in ("waiting", "stopping") else ""))
    title = Text(standing.experiment_name, style="bold", no_wrap=True, overflow="ellipsis")
    bar = Table.grid(expand=True)
    bar.add_row(ProgressBar(standing.n_narratives_total or 1, standing.n_narratives_processed))
    return Group(title, bar, grid)


def rows(standing: Standing, is_live: bool = True) -> Iterator[tuple[str, str]]:
    """(name, what there is to say) of each line; is_live: whether a running session tells it, or the record."""
    yield "done", done(standing.n_narratives_processed, standing.n_narratives_total)
    if is_live:
        # After the last answer the recent rate would only fall.
        recent = "" if standing.seconds_left == 0 else f"{rate(standing.rate_recent)}, "
        yield "rate", f"{recent}{rate(standing.rate_session)} over this session"
        yield "ETA", eta(standing.estimated_completion_time, standing.seconds_left)
        yield "elapsed", duration(standing.elapsed_sec)
    yield "errors", errors(standing.errors)
    yield "tokens", tokens(standing.tokens_used, standing.cost, standing.cost_estimate)
    if is_live:
        yield "in flight", f"{standing.in_flight} of {standing.slots}"
    if standing.jobs:
        yield "at work", at_work(standing.jobs)
    if standing.waiting:
        yield "waiting", f"{standing.waiting}; the next try is in {standing.waiting_sec:.0f} s"
    if standing.stopping:
        yield "stopping", standing.stopping


def done(processed: int, total: int | None) -> str:
    """How many of how many narratives have a result."""
    return f"{processed:,} of {total:,} ({percent_done(processed, total)})" if total else f"{processed:,}"


def rate(narratives_a_second: float | None) -> str:
    """A rate; of a slow one more digits are told."""
    if narratives_a_second is None:
        return "-"
    return f"{narratives_a_second:.{2 if narratives_a_second >= 0.1 else 4}f}/sec"


def eta(when: str | None, seconds_left: float | None) -> str:
    """The time of the last answer, and how long that is from now."""
    if seconds_left == 0:
        return "all are answered"
    if when is None:
        return "calculating..."
    return when if seconds_left is None else f"{when}, in {duration(seconds_left)}"


def errors(by_category: dict[str, int]) -> str:
    """Error rows by category, the most frequent first."""
    found = sorted(((count, category) for category, count in by_category.items() if count), reverse=True)
    return ", ".join(f"{count:,} {category}" for count, category in found) or "none"


def tokens(used: int, cost: float | None, cost_estimate: float | None) -> str:
    """Tokens so far, and what they cost where that is known."""
    text = f"{used:,}"
    if cost is not None:
        text += f"; cost {cost:,.2f}"
    if cost_estimate is not None:
        text += f", about {cost_estimate:,.2f} in all"
    return text


def at_work(jobs: list[str]) -> str:
    """What the jobs do; shards by their numbers."""
    shards = [job.split("-")[0].lstrip("0") for job in jobs if job not in AT_WORK]
    doing = [AT_WORK[job] for job in jobs if job in AT_WORK]
    if shards:
        doing.insert(0, f"shard{'s' if len(shards) > 1 else ''} {', '.join(shards)}")
    return "; ".join(doing)
