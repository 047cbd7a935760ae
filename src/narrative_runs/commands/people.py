"""The commands that people type."""

import argparse
import asyncio
import sys
from functools import partial
from pathlib import Path

from narrative_runs.commands import Commands
from narrative_runs.errors import FindingsError

ONE_STARTED_LAST = "slug or id; the experiment that was started last if left out"


def add_commands_of_people(commands: Commands) -> None:
    """Add all of them, in the order in which an experiment meets them."""
    _add_looks_at_runs(commands)
    _add_work_with_findings(commands)
    _add_ways_from_the_r_system(commands)


def _add_looks_at_runs(commands: Commands) -> None:
    about = "check the params, then start the snakemake command that runs or continues the experiment"
    run_command = commands.add_parser("run", help=about, description=about)
    run_command.add_argument(
        "params_file", nargs="?", type=Path, default="params.yaml", help="params file (default: params.yaml)"
    )
    run_command.add_argument("--narratives", type=int, metavar="N", help="only the first N, as a pilot")
    run_command.set_defaults(run=_run)
    _add_preflight(commands)
    for name, run, about in (
        ("status", _status, "show the state of an experiment"),
        ("watch", _watch, "show a run until it ends"),
        ("resume", _resume, "continue an experiment that is not finished"),
        ("cancel", _cancel, "stop an experiment's run and mark it as cancelled"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        which = "the latest unfinished one" if name == "resume" else "the one that is running or was started last"
        command.add_argument("experiment", nargs="?", default="", help=f"slug or id; {which} if left out")
        command.set_defaults(run=run)
        if name == "status":
            command.add_argument("--json", action="store_true", help="print JSON, for scripts")
        if name == "resume":
            command.add_argument("--yes", action="store_true", help="do not ask for confirmation")
            command.add_argument("--cores", type=int, default=4, help="jobs at once (default: 4)")
    about = "show all experiments"
    commands.add_parser("list", help=about, description=about).set_defaults(run=_list)
    about = "open the local page: runs live, findings, experiments side by side, narratives"
    serve = commands.add_parser("serve", help=about, description=f"{about}; prints its link first")
    serve.add_argument("--port", type=_port, default=8787, help="8787 when left out; 0 for any free one")
    serve.add_argument(
        "--host", default="127.0.0.1", help="the address to listen at; this machine alone (127.0.0.1) when left out"
    )
    serve.add_argument(
        "--allow-remote-view",
        action="store_true",
        help="with --host: let other machines see the page, and with its link all narratives, unencrypted",
    )
    serve.set_defaults(run=partial(_serve, serve))


def _add_preflight(commands: Commands) -> None:
    about = "ask the model about five narratives and estimate how long a run will take"
    preflight = commands.add_parser(
        "preflight",
        help=f"{about}; with --show, show its answers",
        description=f"{about}. With --show: ask about N narratives of the workbook's development sample, labelled "
        "ones first, and show the text, answer, label and reasons of each side by side; this starts no experiment and "
        "freezes nothing.",
    )
    preflight.add_argument("--configfile", default="params.yaml", help="params file (default: params.yaml)")
    preflight.add_argument("--show", type=int, metavar="N", help="show N narratives with their answers, texts included")
    preflight.add_argument("--html", type=Path, metavar="FILE", help="with --show: write a web page instead")
    preflight.add_argument("--force", action="store_true", help="with --html: overwrite an existing file")
    preflight.set_defaults(run=partial(_preflight, preflight))
    about = "ask each of several params files about the same sample of narratives, and compare them"
    trial = commands.add_parser(
        "try",
        help=about,
        description=f"{about}, before you start an experiment. Answers are kept: no question is asked twice, and the "
        "same command continues after an interruption.",
    )
    trial.add_argument("params_files", nargs="+", type=Path, metavar="FILE", help="params file: a prompt and a model")
    trial.add_argument(
        "--sample",
        type=int,
        default=100,
        metavar="N",
        help="number of narratives in the development sample (default: 100)",
    )
    trial.add_argument(
        "--holdout",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep all other narratives unseen, so that the chosen prompt can be measured on them",
    )
    trial.add_argument("--csv", type=Path, metavar="FOLDER", help="also write the tables as CSV files")
    trial.add_argument("--force", action="store_true", help="overwrite existing files")
    trial.set_defaults(run=_try)


def _add_work_with_findings(commands: Commands) -> None:
    about = "compare finished experiments with the first one named: params, metrics, tests, changed answers"
    compare = commands.add_parser("compare", help=about, description=about)
    compare.add_argument("first", help="slug or id")
    compare.add_argument("others", nargs="+", metavar="other", help="slug or id")
    compare.add_argument(
        "--variable",
        metavar="NAME",
        default="",
        help="compare only this variable of the codebook, and list its changed answers",
    )
    compare.add_argument("--csv", type=Path, metavar="FOLDER", help="also write the tables as CSV files")
    compare.add_argument("--force", action="store_true", help="overwrite existing files")
    compare.set_defaults(run=_compare)
    about = "write a sample for manual review, or the results without texts"
    export = commands.add_parser("export", help=about, description=about)
    export.add_argument("experiment", nargs="?", default="", help=ONE_STARTED_LAST)
    what = export.add_mutually_exclusive_group(required=True)
    what.add_argument("--review", type=int, metavar="N", help="draw a stratified sample of N incidents for reviewers")
    what.add_argument("--no-text", action="store_true", help="all rows, without texts, ids and error messages")
    export.add_argument(
        "--variable",
        default="",
        metavar="NAME",
        help="one variable of the codebook: stratify the sample by it, or write only its values",
    )
    export.add_argument(
        "--coders",
        type=_names,
        metavar="NAMES",
        default=[],
        help="with --review: write a sheet for each of these coders, such as ana,ben; one sheet for anyone if left out",
    )
    export.add_argument(
        "--overlap", type=int, metavar="M", help="with --coders: how many of the incidents all coders read"
    )
    export.add_argument(
        "--seed", type=int, help="random seed of the sample (default: 1); the same seed draws the same incidents"
    )
    export.add_argument("--blind", action="store_true", help="leave labels and answers out of the sample")
    export.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        default=[],
        help="with --no-text or --blind: other columns of the workbook to include",
    )
    export.add_argument(
        "--output", type=Path, metavar="FILE", help=".xlsx or .csv (default: a file in the experiment's folder)"
    )
    export.add_argument("--force", action="store_true", help="overwrite an existing file")
    export.set_defaults(run=_export)
    _add_reviews(commands)
    _add_estimates(commands)
    about = "show one result with the model's reasons, and trace it back to the raw answer and the cell in the workbook"
    trace = commands.add_parser(
        "trace",
        help=about,
        description=f"{about}; or, with --outcome, show all narratives with an outcome one after another",
        usage="%(prog)s INCIDENT TYPE [SLUG] [--variable NAME]\n       %(prog)s --outcome {tp,fp,fn,tn,error} [SLUG]\n"
        "       %(prog)s --outcome OUTCOME --variable NAME [SLUG]",
    )
    # With --outcome the first of them is the experiment: `_trace` sees to that.
    trace.add_argument("incident_id", nargs="?", metavar="INCIDENT", help="the incident, as in the results")
    trace.add_argument(
        "narrative_type",
        nargs="?",
        type=str.lower,
        metavar="TYPE",
        help="cme, le, or a type named in data.columns",
    )
    trace.add_argument("experiment", nargs="?", default="", metavar="SLUG", help=ONE_STARTED_LAST)
    trace.add_argument(
        "--outcome",
        help="true or false positives or negatives (tp, fp, fn, tn), or error; with --variable also right or wrong "
        "(of a variable that is not binary), unlabelled, unclear, not-asked, and not-in-text (of passages)",
    )
    trace.add_argument("--variable", default="", metavar="NAME", help="one variable of the codebook")
    trace.set_defaults(run=partial(_trace, trace))
    about = "derive the findings again and compare them with the files"
    prove = commands.add_parser("prove", help=about, description=about)
    prove.add_argument("--configfile", default="params.yaml", help="params file (default: params.yaml)")
    prove.add_argument("--lock", default="dvc.lock", help="dvc.lock of its pipeline (default: dvc.lock)")
    prove.set_defaults(run=_prove)
    _add_snapshots(commands)
    about = "update a completed experiment's findings to how this release reads its answers; asks the model nothing"
    rederive = commands.add_parser("rederive", help=about, description=about)
    rederive.add_argument("experiment", metavar="SLUG", help="slug or id")
    rederive.set_defaults(run=_rederive)
    about = "remove an experiment and its texts from everywhere they are stored"
    forget = commands.add_parser("forget", help=about, description=about)
    about = "slug or id; `development` removes what `try` and `preflight --show` asked"
    forget.add_argument("experiment", metavar="SLUG", help=about)
    forget.add_argument("--yes", action="store_true", help="do not ask for confirmation, for scripts")
    forget.set_defaults(run=_forget)


def _add_reviews(commands: Commands) -> None:
    about = "import the verdicts of coders on their narratives, and show how well the coders agree"
    review = commands.add_parser("review", help=about, description=about)
    what = review.add_subparsers(required=True, metavar="WHAT", help="import, show or disagreements")
    about = "import a sheet that a coder filled in"
    taken = what.add_parser("import", help=about, description=about)
    taken.add_argument("file", type=Path, metavar="FILE", help=".xlsx or .csv")
    taken.add_argument("--coder", required=True, metavar="NAME", help="who filled it in")
    taken.add_argument(
        "--experiment", default="", metavar="SLUG", help="slug or id (default: the experiment named in the sheet)"
    )
    taken.add_argument(
        "--variable",
        default="",
        metavar="NAME",
        help="for a sheet that was not written by `export --review`: its variable",
    )
    taken.set_defaults(run=_import_review)
    for name, run, about in (
        ("show", _show_reviews, "show how many incidents are reviewed and how well the coders agree"),
        (
            "disagreements",
            _disagreements,
            "write a sheet of the narratives on which coders disagree, for whoever decides",
        ),
    ):
        command = what.add_parser(name, help=about, description=about)
        command.add_argument("experiment", nargs="?", default="", metavar="SLUG", help=ONE_STARTED_LAST)
        command.add_argument("--variable", default="", metavar="NAME", help="one variable of the codebook")
        command.set_defaults(run=run)
        if name == "disagreements":
            command.add_argument(
                "--output", type=Path, metavar="FILE", help=".xlsx or .csv (default: a file in the experiment's folder)"
            )
            command.add_argument("--force", action="store_true", help="overwrite an existing file")


def _add_estimates(commands: Commands) -> None:
    about = "estimate prevalences and means over all incidents, corrected with the reviews of a sample"
    estimates = commands.add_parser("estimate", help=about, description=about)
    estimates.add_argument("experiment", nargs="?", default="", metavar="SLUG", help=ONE_STARTED_LAST)
    estimates.add_argument(
        "--variable",
        action="append",
        default=[],
        metavar="NAME",
        help="a variable of the codebook; repeat for more (default: all)",
    )
    estimates.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="COLUMN",
        help="estimate by the groups in a column of the workbook, with differences and ratios; repeat for more",
    )
    estimates.add_argument(
        "--assume-random",
        action="store_true",
        help="treat the labelled incidents of the workbook as a random sample of all incidents; the methods paragraph "
        "says so",
    )
    estimates.add_argument(
        "--plan", action="store_true", help="show how many reviews are needed for an interval of --width"
    )
    estimates.add_argument(
        "--width",
        type=float,
        metavar="W",
        help="with --plan: width of the interval from lower to upper bound, such as .03",
    )
    estimates.set_defaults(run=partial(_estimate, estimates))


def _add_snapshots(commands: Commands) -> None:
    about = "save the state of an experiment under a name, running or not"
    snapshot = commands.add_parser("snapshot", help=about, description=about)
    snapshot.add_argument("experiment", metavar="SLUG", help="slug or id")
    what = snapshot.add_mutually_exclusive_group(required=True)
    what.add_argument("--name", help="save the present state under this name")
    what.add_argument("--list", action="store_true", help="show all snapshots of the experiment")
    what.add_argument("--delete", metavar="NAME", help="delete a snapshot; the answers are kept")
    snapshot.add_argument("--note", default="", help="with --name: a description in your own words")
    snapshot.set_defaults(run=partial(_snapshot, snapshot))
    about = "go back to a snapshot: later answers are set aside and the findings derived again; asks the model nothing"
    rollback = commands.add_parser(
        "rollback", help=about, description=about, usage="%(prog)s SLUG (NAME | --undo) [--yes]"
    )
    rollback.add_argument("experiment", metavar="SLUG", help="slug or id")
    rollback.add_argument("name", nargs="?", default="", metavar="NAME", help="the snapshot to go back to")
    rollback.add_argument("--undo", action="store_true", help="bring back what the last rollback set aside")
    rollback.add_argument("--yes", action="store_true", help="do not ask for confirmation, for scripts")
    rollback.set_defaults(run=partial(_rollback, rollback))


def _add_ways_from_the_r_system(commands: Commands) -> None:
    about = "bring an older record, such as the R system's, up to date"
    migrate = commands.add_parser("migrate", help=about, description=about)
    migrate.add_argument("database", metavar="DB", help="path to the SQLite record")
    migrate.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")
    migrate.set_defaults(run=_migrate)
    about = "continue here an experiment that was started in the R system"
    adopt = commands.add_parser("adopt", help=about, description=about)
    adopt.add_argument("database", metavar="DB", help="path to the R system's record")
    adopt.add_argument("experiment_id", metavar="EXPERIMENT_ID", help="id of the experiment in that record")
    adopt.add_argument("--data", default="", help="path to the workbook here (default: the path in the record)")
    adopt.add_argument("--slug", default="", help="folder under results/ (default: made from the name)")
    adopt.set_defaults(run=_adopt)


def _run(arguments: argparse.Namespace) -> None:
    from narrative_runs.front import run

    run(Path(arguments.params_file), arguments.narratives)


def _status(arguments: argparse.Namespace) -> None:
    from narrative_runs.monitoring.experiments import chosen
    from narrative_runs.monitoring.status import as_json, status_of

    status = status_of(chosen(arguments.experiment))
    print(as_json(status) if arguments.json else "\n".join(status.lines()))


def _watch(arguments: argparse.Namespace) -> None:
    from narrative_runs.monitoring.watch import watch

    sys.exit(0 if watch(arguments.experiment) else 1)


def _list(_: argparse.Namespace) -> None:
    from narrative_runs.monitoring.experiments import experiments
    from narrative_runs.monitoring.listing import table_of
    from narrative_runs.plain_console import PlainConsole

    # A pipe has no width: nothing is cut for it.
    PlainConsole(width=None if sys.stdout.isatty() else 200, highlight=False).print(table_of(experiments()))


def _serve(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    from narrative_runs.page.access import is_loopback
    from narrative_runs.page.serve import serve

    if not is_loopback(arguments.host) and not arguments.allow_remote_view:
        parser.error(
            f"--host {arguments.host} lets other machines reach the page, and with its link all narratives, "
            "unencrypted. `ssh -L` is safer: leave out --host. If that is meant, add --allow-remote-view"
        )
    serve(arguments.port, arguments.host, _tell)


def _resume(arguments: argparse.Namespace) -> None:
    from narrative_runs.monitoring.resume import resume

    resume(arguments.experiment, arguments.cores, arguments.yes)


def _compare(arguments: argparse.Namespace) -> None:
    from narrative_runs.comparison.compare import compare

    compare([arguments.first, *arguments.others], arguments.csv, arguments.force, arguments.variable)


def _export(arguments: argparse.Namespace) -> None:
    which, output, force, variable = arguments.experiment, arguments.output, arguments.force, arguments.variable
    if arguments.no_text and (arguments.blind or arguments.seed is not None):
        raise FindingsError("--seed and --blind can only be used with --review.")
    if arguments.columns and not (arguments.no_text or arguments.blind):
        raise FindingsError(
            "--columns can only be used with --no-text or --blind: a sheet that is not blind has all columns."
        )
    if arguments.coders and arguments.no_text:
        raise FindingsError("--coders can only be used with --review.")
    if arguments.overlap is not None and not arguments.coders:
        raise FindingsError("--overlap can only be used with --coders: it says how many incidents all coders read.")
    if arguments.no_text:
        from narrative_runs.export.export import export_no_text

        export_no_text(which, arguments.columns, output, force, variable)
        return
    from narrative_runs.reviews.dealing import deal_review

    count, blind, columns, coders = arguments.review, arguments.blind, arguments.columns, arguments.coders
    seed = 1 if arguments.seed is None else arguments.seed
    deal_review(which, count, seed, blind, columns, output, force, variable, coders, arguments.overlap or 0)


def _import_review(arguments: argparse.Namespace) -> None:
    from narrative_runs.estimating.proof import older_estimates
    from narrative_runs.reviews.bringing_in import import_review

    import_review(arguments.file, arguments.coder, arguments.experiment, _tell, arguments.variable)
    for line in older_estimates():
        _tell(line)


def _show_reviews(arguments: argparse.Namespace) -> None:
    from narrative_runs.plain_console import PlainConsole
    from narrative_runs.reviews.showing import show

    width = None if sys.stdout.isatty() else 200
    console = PlainConsole(width=width, highlight=False, markup=False)
    show(arguments.experiment, arguments.variable, console.print)


def _disagreements(arguments: argparse.Namespace) -> None:
    from narrative_runs.reviews.adjudication import write_disagreements

    write_disagreements(arguments.experiment, arguments.variable, arguments.output, arguments.force, _tell)


def _estimate(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    from narrative_runs.plain_console import PlainConsole

    if arguments.plan != (arguments.width is not None):
        parser.error("give --plan and --width together, such as --plan --width .03")
    if arguments.plan and (arguments.by or arguments.assume_random or len(arguments.variable) > 1):
        parser.error("--plan can only be used with SLUG, --width and one --variable")
    width = None if sys.stdout.isatty() else 200
    console = PlainConsole(width=width, highlight=False)
    which, variables = arguments.experiment, tuple(arguments.variable)
    if arguments.plan:
        from narrative_runs.estimating.command import plan_reviews

        plan_reviews(which, "".join(variables), arguments.width, console.print)
        return
    from narrative_runs.estimating.command import estimate
    from narrative_runs.findings.estimates_file import Wish

    estimate(which, Wish(variables, tuple(arguments.by), arguments.assume_random), console.print)


def _port(typed: str) -> int:
    if not (typed.isascii() and typed.isdigit() and int(typed) < 65536):
        raise argparse.ArgumentTypeError(f"{typed!r} is no port: 0 to 65535")
    return int(typed)


def _names(typed: str) -> list[str]:
    return [name.strip() for name in typed.split(",") if name.strip()]


def _cancel(arguments: argparse.Namespace) -> None:
    from narrative_runs.steering import cancel

    print(cancel(arguments.experiment))


def _preflight(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.show is None:
        if arguments.html is not None or arguments.force:
            parser.error("--html and --force can only be used with --show")
        from narrative_runs.preflight import preflight

        asyncio.run(preflight(Path(arguments.configfile)))
    else:
        from narrative_runs.development.show import show

        show(Path(arguments.configfile), arguments.show, arguments.html, arguments.force)


def _try(arguments: argparse.Namespace) -> None:
    from narrative_runs.development.try_configurations import try_configurations

    try_configurations(arguments.params_files, arguments.sample, arguments.holdout, arguments.csv, arguments.force)


def _prove(arguments: argparse.Namespace) -> None:
    from narrative_runs.derivation.proof import prove
    from narrative_runs.estimating.proof import prove_estimates

    params_file = Path(arguments.configfile)
    print("\n".join([*prove(params_file, Path(arguments.lock)), *prove_estimates(params_file)]))


def _rederive(arguments: argparse.Namespace) -> None:
    from narrative_runs.derivation.rederive import rederive

    rederive(arguments.experiment, _tell)


def _snapshot(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    from narrative_runs.checkpoints import by_hand
    from narrative_runs.plain_console import PlainConsole

    if arguments.note and arguments.name is None:
        parser.error("--note can only be used with --name")
    if arguments.list:
        width = None if sys.stdout.isatty() else 200
        PlainConsole(width=width, highlight=False).print(by_hand.table_of(arguments.experiment))
    elif arguments.delete is not None:
        by_hand.delete(arguments.experiment, arguments.delete, _tell)
    else:
        by_hand.keep(arguments.experiment, arguments.name, arguments.note, _tell)


def _rollback(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    from narrative_runs.checkpoints.rollback import roll_back, undo

    if bool(arguments.name) == arguments.undo:
        parser.error("give the NAME of a snapshot (`narrative-runs snapshot SLUG --list` shows all), or --undo")

    def confirm() -> bool:
        return arguments.yes or _is_agreed("Continue? [y/N] ")

    if arguments.undo:
        undo(arguments.experiment, confirm, _tell)
    else:
        roll_back(arguments.experiment, arguments.name, confirm, _tell)


def _forget(arguments: argparse.Namespace) -> None:
    from narrative_runs.removal.forget import forget

    forget(arguments.experiment, arguments.yes, _tell)


def _trace(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.outcome is not None:
        if arguments.narrative_type is not None:
            parser.error("--outcome can only be used with SLUG: leave out either INCIDENT and TYPE, or --outcome")
        from narrative_runs.one_result import OUTCOMES
        from narrative_runs.walk import walk, walk_variable

        if arguments.variable:
            walk_variable(arguments.variable, arguments.outcome, arguments.incident_id or "")
        elif arguments.outcome in OUTCOMES:
            walk(OUTCOMES[arguments.outcome], arguments.incident_id or "")
        else:
            choices = f"choose from {', '.join(map(repr, OUTCOMES))}; there are more with --variable"
            parser.error(f"argument --outcome: invalid choice: {arguments.outcome!r} ({choices})")
        return
    if arguments.narrative_type is None:
        parser.error("give INCIDENT and TYPE, such as `0007 le`; or --outcome, for all narratives with an outcome")
    from narrative_runs.provenance import show

    show(arguments.incident_id, arguments.narrative_type, arguments.experiment, arguments.variable)


def _migrate(arguments: argparse.Namespace) -> None:
    from narrative_runs.migration.migrate import migrate

    migrate(Path(arguments.database), arguments.dry_run, _tell)


def _adopt(arguments: argparse.Namespace) -> None:
    from narrative_runs.migration.adopt import adopt

    adopt(Path(arguments.database), arguments.experiment_id, arguments.data, arguments.slug, _tell)


def _is_agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        return False


def _tell(text: str) -> None:
    # At once, before what a program says that is started after it.
    print(text, flush=True)
