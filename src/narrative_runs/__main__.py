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
    }
    for name, (run, about) in jobs.items():
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(run=run)
        if name == "classify":
            command.add_argument("shard", help="name of the shard, such as 03-of-16")
    for name, run, about in (
        ("status", _status, "say how an experiment stands"),
        ("watch", _watch, "show a run until it ends"),
        ("resume", _resume, "go on with an experiment that is not finished"),
        ("cancel", _cancel, "end an experiment's run, and mark it as cancelled"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        which = "the latest unfinished one" if name == "resume" else "the one that runs, or was started last,"
        command.add_argument("experiment", nargs="?", default="", help=f"slug or id; {which} when left out")
        command.set_defaults(run=run)
        if name == "status":
            command.add_argument("--json", action="store_true", help="for scripts")
        if name == "resume":
            command.add_argument("--yes", action="store_true", help="do not ask")
            command.add_argument("--cores", type=int, default=4, help="jobs at once (4 when left out)")
    commands.add_parser("list", help="show all experiments").set_defaults(run=_list)
    preflight = commands.add_parser("preflight", help="ask five narratives, and say what a run will take")
    preflight.add_argument("--configfile", default="params.yaml", help="params file (params.yaml when left out)")
    preflight.set_defaults(run=_preflight)
    arguments = parser.parse_args()
    if arguments.run in [run for run, _ in jobs.values()]:
        # Until requests can be in flight there is nothing to let end: Ctrl-C ends a job without a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        tie()
    try:
        arguments.run(arguments)
    except NarrativeRunsError as error:
        sys.exit(f"narrative-runs: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _status(arguments: argparse.Namespace) -> None:
    from narrative_runs.monitoring.experiments import chosen
    from narrative_runs.monitoring.status import as_json, status_of

    status = status_of(chosen(arguments.experiment))
    print(as_json(status) if arguments.json else "\n".join(status.lines()))


def _watch(arguments: argparse.Namespace) -> None:
    from narrative_runs.monitoring.watch import watch

    sys.exit(0 if watch(arguments.experiment) else 1)


def _list(_: argparse.Namespace) -> None:
    from rich.console import Console

    from narrative_runs.monitoring.experiments import experiments
    from narrative_runs.monitoring.listing import table_of

    # A pipe has no width: nothing is cut for it.
    Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(table_of(experiments()))


def _resume(arguments: argparse.Namespace) -> None:
    from narrative_runs.monitoring.resume import resume

    resume(arguments.experiment, arguments.cores, arguments.yes)


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
