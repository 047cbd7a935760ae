"""What was measured of one scenario, as a table: its goals first, then times, CPU and memory."""

import os
from collections.abc import Iterator

from rich.table import Table

from benchmarks.scenarios import Outcome


def table_of(outcome: Outcome) -> Table:
    """The table of one scenario."""
    table = Table("measure", "value", "goal", "met", title=outcome.scenario.name, title_justify="left", min_width=100)
    for goal in outcome.scenario.goals:
        value = goal.of(outcome)
        bound = f"at {'least' if goal.at_least else 'most'} {goal.limit:g}"
        table.add_row(goal.name, f"{value:.2f}", bound, "yes" if goal.met(value) else "NO")
    for part in (_times(outcome), _cpu(outcome), _bare_loop(outcome), _kinds(outcome)):
        table.add_section()
        for row in part:
            table.add_row(*row)
    return table


def _times(outcome: Outcome) -> Iterator[tuple[str, str]]:
    scenario, ours, pace = outcome.scenario, outcome.ours, outcome.pace
    yield "wall", f"{ours.wall_s:.2f} s"
    if scenario.ideal_s:
        yield "ideal, wall to it", f"{scenario.ideal_s:.2f} s, {ours.wall_s / scenario.ideal_s:.3f}"
        yield "slot utilisation, most at once", f"{outcome.utilisation:.3f}, {pace['busiest']:g} of {scenario.slots}"
    yield "start to first request", f"{pace['first_at'] - ours.began_at:.2f} s"
    yield "first request to last reply", f"{pace['last_at'] - pace['first_at']:.2f} s"
    yield "last reply to end", f"{ours.ended_at - pace['last_at']:.2f} s"


def _cpu(outcome: Outcome) -> Iterator[tuple[str, str]]:
    ours, server_s = outcome.ours, outcome.pace["cpu_seconds"]
    yield "CPU of all our processes", f"{ours.cpu_s:.2f} s, {outcome.cpu_ms:.2f} ms a narrative"
    yield "CPU of the server, of all else", f"{server_s:.2f} s, {ours.machine_cpu_s - ours.cpu_s - server_s:.2f} s"
    yield "load over 1, 5, 15 min", f"{' '.join(f'{load:.1f}' for load in os.getloadavg())} on {os.cpu_count()} cores"


def _bare_loop(outcome: Outcome) -> Iterator[tuple[str, str]]:
    ours, bare = outcome.ours, outcome.bare
    if bare is None:
        return
    cpu_ms = 1000 * bare.cpu_s / outcome.scenario.narratives
    yield "bare loop: wall, ours to it", f"{bare.wall_s:.2f} s, {ours.wall_s / bare.wall_s:.3f}"
    yield "bare loop: slot utilisation", f"{outcome.bare_utilisation:.3f}"
    yield (
        "bare loop: CPU, ours to it",
        f"{bare.cpu_s:.2f} s, {cpu_ms:.2f} ms a narrative, {ours.cpu_s / bare.cpu_s:.2f}",
    )


def _kinds(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for name, kind in sorted(outcome.ours.kinds.items(), key=lambda item: -item[1].cpu_s):
        yield f"processes: {kind.processes} {name}", f"{kind.cpu_s:.2f} s CPU, peak {kind.peak_mb:.0f} MB"
