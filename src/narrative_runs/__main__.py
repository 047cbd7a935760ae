"""The command line: `narrative-runs` for people, `python -m narrative_runs` for the workflow's jobs."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.session.tether import tie

Command = Callable[[argparse.Namespace], None]


def main() -> None:
    """Run one command; a user's mistake ends with a message and exit code 1."""
    parser = argparse.ArgumentParser(prog="narrative-runs", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    jobs: dict[str, tuple[Command, str]] = {
        "source": (_source, "job of the workflow: read the workbook"),
        "classify": (_classify, "job of the workflow: classify one shard"),
        "retry_errors": (_retry_errors, "job of the workflow: ask again for error rows"),
        "record": (_record, "job of the workflow: merge all shards"),
        "restore_record": (_restore_record, "job of the workflow: fill a record that was lost"),
        "report": (_report, "job of the workflow: figures and report"),
    }
    for name, (run, about) in jobs.items():
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(run=run)
        if name == "classify":
            command.add_argument("shard", help="name of the shard, such as 03-of-16")
    cancel = commands.add_parser("cancel", help="end an experiment's run, and mark it as cancelled")
    cancel.add_argument("experiment", nargs="?", default="", help="slug or id; the one started last when left out")
    cancel.set_defaults(run=_cancel)
    preflight = commands.add_parser("preflight", help="ask five narratives, and say what a run will take")
    preflight.add_argument("--configfile", default="params.yaml", help="params file (params.yaml when left out)")
    preflight.set_defaults(run=_preflight)
    arguments = parser.parse_args()
    if arguments.run in [run for run, _ in jobs.values()]:
        tie()
    try:
        arguments.run(arguments)
    except NarrativeRunsError as error:
        sys.exit(f"narrative-runs: {error}")


def _cancel(arguments: argparse.Namespace) -> None:
    from narrative_runs.steering import cancel

    print(cancel(arguments.experiment))


def _preflight(arguments: argparse.Namespace) -> None:
    from narrative_runs.preflight import preflight

    asyncio.run(preflight(Path(arguments.configfile)))


# A job imports only what it needs: pandas alone costs half a second and 100 MB. Why it failed is told to the session,
# which owns the terminal and the record.


def _source(_: argparse.Namespace) -> None:
    from narrative_runs.jobs.source import read_source

    _attending("source", read_source)


def _record(_: argparse.Namespace) -> None:
    from narrative_runs.jobs.record import merge

    _attending("record", lambda job: merge(job.settings))


def _restore_record(_: argparse.Namespace) -> None:
    from narrative_runs.jobs.record import restore

    _attending("restore_record", lambda job: restore(job.settings))


def _report(_: argparse.Namespace) -> None:
    from narrative_runs.jobs.report import write_report

    _attending("report", lambda job: write_report(job.settings))


def _attending(name: str, run: Callable[..., object]) -> None:
    from narrative_runs.jobs.attendance import Attendance

    job = Attendance(name)
    try:
        run(job)
    except (NarrativeRunsError, OSError) as error:
        job.say(f"hopeless {json.dumps(reason_of(error))}")
        job.close()
        sys.exit(1)
    job.close()


def _classify(arguments: argparse.Namespace) -> None:
    from narrative_runs.jobs.classify import classify

    _asking(arguments.shard, lambda link: classify(link, int(arguments.shard.split("-")[0])))


def _retry_errors(_: argparse.Namespace) -> None:
    from narrative_runs.jobs.retry_errors import retry_errors

    _asking("retry_errors", retry_errors)


def _asking(name: str, run: Callable[..., Awaitable[object]]) -> None:
    from narrative_runs.session.link import Link

    # Until requests can be in flight there is nothing to let end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    async def job() -> None:
        link = await Link.open(name)
        try:
            await run(link)
        except (NarrativeRunsError, OSError) as error:
            link.give_up(reason_of(error))
            await link.close()
            sys.exit(1)
        await link.close()

    asyncio.run(job())


if __name__ == "__main__":
    main()
