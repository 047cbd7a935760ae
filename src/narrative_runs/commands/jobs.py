"""The jobs of the workflow, as its rules call them.

A job is connected to its run before it imports what it needs: pandas alone costs half a second and 100 MB. Why it
failed is told to the coordinator, which owns the terminal and the record.
"""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from narrative_runs.commands import Commands

if TYPE_CHECKING:
    from narrative_runs.coordination.client import RunClient


def add_jobs(commands: Commands) -> None:
    """Add a command for each job; people do not type them, so that the help does not list them."""
    for name, run, about in (
        ("source", _source, "read the workbook"),
        ("classify", _classify, "classify one shard"),
        ("retry_errors", _retry_errors, "ask again for error rows"),
        ("record", _record, "merge all shards"),
        ("restore_record", _restore_record, "restore a record that was lost"),
        ("report", _report, "draw the figures and write the report"),
        ("prints", _prints, "draw the figures for print, as a part of the report"),
    ):
        command = commands.add_parser(name, description=f"job of the workflow: {about}")
        command.set_defaults(run=run, is_job=True)
        if name == "classify":
            command.add_argument("shard", help="name of the shard, such as 03-of-16")


def _source(_: argparse.Namespace) -> None:
    def read(run: "RunClient") -> None:
        from narrative_runs.jobs.source import read_source

        read_source(run.context, run)
        run.source_is_written()

    _in_run("source", read)


def _classify(arguments: argparse.Namespace) -> None:
    def write(run: "RunClient") -> None:
        # Imported while the shard is asked.
        from narrative_runs.jobs.classify import write_results

        if run.is_elsewhere:
            from narrative_runs.coordination.asking_elsewhere import ask_from_here

            ask_from_here(run, arguments.shard)
        else:
            run.wait_until_answered()
        write_results(run.context.folder, run.context.params, int(arguments.shard.split("-")[0]))
        run.results_are_written()

    _in_run(arguments.shard, write)


def _retry_errors(_: argparse.Namespace) -> None:
    def write(run: "RunClient") -> None:
        from narrative_runs.jobs.retry_errors import write_retries

        if run.context.retry_errors:
            run.wait_until_answered()
        write_retries(run.context.folder, run.context.params)

    _in_run("retry_errors", write)


def _record(_: argparse.Namespace) -> None:
    def write(run: "RunClient") -> None:
        from narrative_runs.jobs.record import merge

        merge(run.context)

    _in_run("record", write)


def _restore_record(_: argparse.Namespace) -> None:
    def write(run: "RunClient") -> None:
        from narrative_runs.jobs.record import restore

        restore(run.context)

    _in_run("restore_record", write)


def _report(_: argparse.Namespace) -> None:
    def write(run: "RunClient") -> None:
        from narrative_runs.jobs.preloaded import begin, exit_code_of
        from narrative_runs.jobs.report import write_prints, write_report

        # Meanwhile, on another core: the figures for print take half of the time.
        prints = begin(["prints"])
        write_report(run.context, with_prints=prints is None)
        if prints is not None and exit_code_of(prints):
            write_prints(run.context)

    _in_run("report", write)


def _prints(_: argparse.Namespace) -> None:
    def write(run: "RunClient") -> None:
        from narrative_runs.jobs.report import write_prints

        write_prints(run.context)

    _in_run("prints", write)


def _in_run(name: str, work: Callable[["RunClient"], None]) -> None:
    """Do the work of one job as a part of its run, which is told when it fails."""
    from narrative_runs.coordination.client import RunClient
    from narrative_runs.coordination.supervision import unexpected
    from narrative_runs.run_lock import hold_as_child

    run = RunClient(name)
    if not run.is_elsewhere:
        hold_as_child(run.context.folder.path)
    try:
        work(run)
    except Exception as error:
        run.give_up(unexpected(error))
        run.close()
        sys.exit(1)
    run.close()
