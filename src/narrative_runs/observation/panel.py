"""The panel that shows a run, as lines that fit any width: for the run's own terminal, and for those that watch."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from narrative_runs.observation.progress import duration, percent_done
from narrative_runs.observation.run_status import RunStatus, ServerStatus

AT_WORK = {
    "source": "reading the workbook",
    "retry_errors": "asking again about errors",
    "record": "merging all shards",
    "restore_record": "restoring the record",
    "report": "drawing figures and writing the report",
    "prints": "drawing figures for print",
}


def panel(status: RunStatus) -> RenderableType:
    """A bar, and below it a line for each thing to know."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in rows(status):
        grid.add_row(name, Text(text, style="yellow" if name in ("waiting", "stopping") else ""))
    title = Text(status.experiment_name, style="bold", no_wrap=True, overflow="ellipsis")
    bar = Table.grid(expand=True)
    bar.add_row(ProgressBar(status.n_narratives_total or 1, status.n_narratives_processed))
    return Group(title, bar, grid)


def rows(status: RunStatus, is_live: bool = True) -> Iterator[tuple[str, str]]:
    """(name, what there is to say) of each line; is_live: whether this comes from a running session, or from the
    record."""
    yield "done", done(status.n_narratives_processed, status.n_narratives_total)
    if is_live:
        # After the last answer the recent rate would only fall.
        recent = "" if status.seconds_left == 0 else f"{rate(status.rate_recent)}, "
        yield "rate", f"{recent}{rate(status.rate_session)} over this session"
        yield "ETA", eta(status.estimated_completion_time, status.seconds_left)
        yield "elapsed", duration(status.elapsed_sec)
    yield "errors", errors(status.errors)
    yield from (("pattern", pattern) for pattern in status.error_patterns)
    yield "tokens", tokens(status.tokens_used, status.cost, status.cost_estimate)
    if is_live:
        yield "in flight", f"{status.in_flight} of {status.slots}"
        yield from map(server, status.servers)
    if status.jobs:
        yield "at work", at_work(status.jobs)
    if status.waiting:
        yield "waiting", f"{status.waiting}; the next try is in {status.waiting_sec:.0f} s"
    if status.stopping:
        yield "stopping", status.stopping


def server(status: ServerStatus) -> tuple[str, str]:
    """(name, what there is to say) of one of several model servers."""
    sent = status.answers + status.failures
    failed = f"{status.failures:,} of {sent:,} requests failed ({percent_done(status.failures, sent)})"
    said = failed if status.failures else f"{sent:,} requests"
    text = f"{status.address}: {status.in_flight} of {status.slots}, {said}"
    if status.is_left_out:
        text += f"; left out: {status.problem}"
    elif status.problem:
        text += f"; {status.problem}; the next try is in {status.waiting_sec:.0f} s"
    return "server", text


def done(processed: int, total: int | None) -> str:
    """How many of how many narratives have a result."""
    return f"{processed:,} of {total:,} ({percent_done(processed, total)})" if total else f"{processed:,}"


def rate(narratives_a_second: float | None) -> str:
    """A rate; a slow one has more digits."""
    if narratives_a_second is None:
        return "-"
    return f"{narratives_a_second:.{2 if narratives_a_second >= 0.1 else 4}f}/sec"


def eta(when: str | None, seconds_left: float | None) -> str:
    """The time of the last answer, and how long that is from now."""
    if seconds_left == 0:
        return "all answered"
    if when is None:
        return "calculating..."
    return when if seconds_left is None else f"{when}, in {duration(seconds_left)}"


def errors(by_category: dict[str, int]) -> str:
    """Error rows by category, the most frequent first."""
    counts = sorted(((count, category) for category, count in by_category.items() if count), reverse=True)
    return ", ".join(f"{count:,} {category}" for count, category in counts) or "none"


def tokens(used: int, cost: float | None, cost_estimate: float | None) -> str:
    """Tokens so far, and what they cost where that is known."""
    text = f"{used:,}"
    if cost is not None:
        text += f"; cost {cost:,.2f}"
    if cost_estimate is not None:
        text += f", about {cost_estimate:,.2f} in all"
    return text


def at_work(jobs: list[str]) -> str:
    """The jobs at work; shards by their numbers."""
    shards = [job.split("-")[0].lstrip("0") for job in jobs if job not in AT_WORK]
    doing = [AT_WORK[job] for job in jobs if job in AT_WORK]
    if shards:
        doing.insert(0, f"shard{'s' if len(shards) > 1 else ''} {', '.join(shards)}")
    return "; ".join(doing)
