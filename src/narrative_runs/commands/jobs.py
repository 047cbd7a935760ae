"""The jobs of the workflow, as its rules call them.

A job imports only what it needs: pandas alone costs half a second and 100 MB. Why it failed is told to the session,
which owns the terminal and the record.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

from narrative_runs.commands import Commands


def add_jobs(commands: Commands) -> None:
    """Add a command for each job; people do not type them, so that the help does not list them."""
    for name, run, about in (
        ("source", _source, "read the workbook"),
        ("classify", _classify, "classify one shard"),
        ("retry_errors", _retry_errors, "ask again for error rows"),
        ("record", _record, "merge all shards"),
        ("restore_record", _restore_record, "fill a record that was lost"),
        ("report", _report, "figures and report"),
    ):
        command = commands.add_parser(name, description=f"job of the workflow: {about}")
        command.set_defaults(run=run, is_job=True)
        if name == "classify":
            command.add_argument("shard", help="name of the shard, such as 03-of-16")


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
    from narrative_runs.session.supervision import unexpected

    job = Attendance(name)
    try:
        run(job)
    except Exception as error:
        job.say(f"hopeless {json.dumps(unexpected(error))}")
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
    from narrative_runs.session.supervision import unexpected

    async def job() -> None:
        link = await Link.open(name)
        try:
            await run(link)
        except Exception as error:
            link.give_up(unexpected(error))
            await link.close()
            sys.exit(1)
        await link.close()

    asyncio.run(job())
