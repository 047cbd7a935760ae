"""The command line: `narrative-runs` for people, `python -m narrative_runs` for the workflow's jobs."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from narrative_runs.errors import FindingsError, NarrativeRunsError, reason_of
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
    _add_compare_and_export(commands)
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
    trace = commands.add_parser("trace", help="follow one result back to its answer and its cell in the workbook")
    trace.add_argument("incident_id", help="the incident, as in the results")
    trace.add_argument("narrative_type", choices=["cme", "le"], help="cme or le")
    trace.add_argument("experiment", nargs="?", default="", help="slug or id; the one started last when left out")
    trace.set_defaults(run=_trace)
    prove = commands.add_parser("prove", help="derive the findings once more, and compare")
    prove.add_argument("--configfile", default="params.yaml", help="params file (params.yaml when left out)")
    prove.add_argument("--lock", default="dvc.lock", help="dvc.lock of its pipeline (dvc.lock when left out)")
    prove.set_defaults(run=_prove)
    migrate = commands.add_parser("migrate", help="bring an older record, such as the R system's, up to date")
    migrate.add_argument("database", metavar="DB", help="path of the SQLite record")
    migrate.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    migrate.set_defaults(run=_migrate)
    adopt = commands.add_parser("adopt", help="go on here with an experiment that the R system began")
    adopt.add_argument("database", metavar="DB", help="path of the R system's record")
    adopt.add_argument("experiment_id", metavar="EXPERIMENT_ID", help="id of the experiment in it")
    adopt.add_argument("--data", default="", help="the workbook's path here (as in the record when left out)")
    adopt.add_argument("--slug", default="", help="folder under results/ (made from the name when left out)")
    adopt.set_defaults(run=_adopt)
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


def _add_compare_and_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "hold finished experiments against the first one named: params, metrics, tests, what changed"
    compare = commands.add_parser("compare", help=about, description=about)
    compare.add_argument("first", help="slug or id")
    compare.add_argument("others", nargs="+", metavar="other", help="slug or id")
    compare.add_argument("--csv", type=Path, metavar="FOLDER", help="write the tables as CSV files too")
    compare.add_argument("--force", action="store_true", help="overwrite files that exist")
    compare.set_defaults(run=_compare)
    about = "give out a sample for manual review, or the results without text"
    export = commands.add_parser("export", help=about, description=about)
    export.add_argument("experiment", nargs="?", default="", help="slug or id; the one started last when left out")
    what = export.add_mutually_exclusive_group(required=True)
    what.add_argument("--review", type=int, metavar="N", help="a stratified sample of N answers, for manual review")
    what.add_argument("--no-text", action="store_true", help="all rows, without texts, ids and messages")
    export.add_argument("--seed", type=int, help="of the sample, 1 when left out: the same seed draws the same rows")
    export.add_argument("--blind", action="store_true", help="the sample without labels and answers")
    export.add_argument(
        "--output", type=Path, metavar="FILE", help=".xlsx or .csv; a file in the experiment's folder when left out"
    )
    export.add_argument("--force", action="store_true", help="overwrite a file that exists")
    export.set_defaults(run=_export)


def _compare(arguments: argparse.Namespace) -> None:
    from narrative_runs.comparison.compare import compare

    compare([arguments.first, *arguments.others], arguments.csv, arguments.force)


def _export(arguments: argparse.Namespace) -> None:
    from narrative_runs.export.export import export_no_text, export_review

    which, output, force = arguments.experiment, arguments.output, arguments.force
    if arguments.no_text and (arguments.blind or arguments.seed is not None):
        raise FindingsError("--seed and --blind go with --review.")
    if arguments.no_text:
        export_no_text(which, output, force)
    else:
        seed = 1 if arguments.seed is None else arguments.seed
        export_review(which, arguments.review, seed, arguments.blind, output, force)


def _cancel(arguments: argparse.Namespace) -> None:
    from narrative_runs.steering import cancel

    print(cancel(arguments.experiment))


def _preflight(arguments: argparse.Namespace) -> None:
    from narrative_runs.preflight import preflight

    asyncio.run(preflight(Path(arguments.configfile)))


def _prove(arguments: argparse.Namespace) -> None:
    from narrative_runs.proof import prove

    print("\n".join(prove(Path(arguments.configfile), Path(arguments.lock))))


def _trace(arguments: argparse.Namespace) -> None:
    from narrative_runs.provenance import trace

    for name, value in trace(arguments.incident_id, arguments.narrative_type, arguments.experiment).items():
        print(f"{name:17} {'' if value is None else value}")


def _migrate(arguments: argparse.Namespace) -> None:
    from narrative_runs.migration.migrate import migrate

    migrate(Path(arguments.database), arguments.dry_run, _tell)


def _adopt(arguments: argparse.Namespace) -> None:
    from narrative_runs.migration.adopt import adopt

    adopt(Path(arguments.database), arguments.experiment_id, arguments.data, arguments.slug, _tell)


def _tell(text: str) -> None:
    # At once, before what a program says that is started after it.
    print(text, flush=True)


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
