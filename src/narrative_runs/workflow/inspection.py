"""Which experiment is meant, and whether it can be run: checked while the Snakefile is read, without writing."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from narrative_runs import __version__, experiment, journal, journal_set_aside, permissions
from narrative_runs import params as params_module
from narrative_runs.code import must_be_the_code_of
from narrative_runs.derivation.difference import Difference
from narrative_runs.derivation.look import difference_of, is_by_this_code
from narrative_runs.errors import AlreadyCompleted, ExperimentError, NarrativeRunsError, ParamsError
from narrative_runs.experiment import ExperimentState
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database, experiment_rows
from narrative_runs.run_lock import wait_for_killed_run
from narrative_runs.shell import to_resume
from narrative_runs.source import checksum
from narrative_runs.source.tracking import command_to_restore
from narrative_runs.workflow.command import Command, read_command
from narrative_runs.workflow.limit import effective_limit
from narrative_runs.workflow.plan import Plan
from narrative_runs.workflow.terminal import give_up, tell

# What of the params that may change is to be seen in the files.
SHOWN_PARAMS = ("experiment.", "report.", "run.save_csv_json")


def plan(overrides: Mapping[str, Any], config_files: Sequence[Path], is_main_process: bool = True) -> Plan:
    """Find out which experiment is meant, and check what can be checked without writing.

    overrides: what `--config` gave; config_files: what `--configfile` gave, which replaces params.yaml;
    is_main_process: if not, this is Snakemake on another host, for one job of a run that has a plan.

    Ends the process with a message when the experiment cannot be run.
    """
    # Until a run begins there is nothing to let end.
    signal.signal(signal.SIGINT, lambda *_: give_up("stopped before anything was asked."))
    try:
        permissions.as_results_are()
        # Looking for plug-ins that nobody has would cost every job 50 ms.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        # Jobs are started by this interpreter's own environment, whatever the shell's PATH says.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        must_be_the_code_of(Path.cwd())
        command = read_command(overrides, config_files)
        if not is_main_process:
            # Imported here: a plain run needs none of it.
            from narrative_runs.workflow.job_context import plan_of_job

            return plan_of_job(command)
        return _plan(command)
    except NarrativeRunsError as error:
        give_up(error)


def _plan(command: Command) -> Plan:
    origin = command.origin
    if command.experiment_id is None:
        params = params_module.check(command.values, origin)
        folder = ExperimentFolder(params.slug)
        _must_be_whole(folder)
        state = experiment.find(folder)
    else:
        folder, state = _by_id(command.experiment_id)
        _must_be_whole(folder)
        state = experiment.find(folder) or state
        params = _params_by_id(state, folder, command)
    if warning := permissions.put_right(folder, params.data.share == "group"):
        tell(warning)
    if beside := journal.strangers(folder.journals):
        tell(
            f"WARNING: {folder.journals}/ holds {len(beside)} files that are not journals and are ignored, such as "
            f"{str(beside[0].relative_to(folder.journals))!r}. If a program synchronises this folder, exclude "
            f"{folder.path}/ from it: it can damage files while a run is writing them."
        )
    if absent := journal.not_here(folder.journals):
        raise ExperimentError(
            f"{folder.journals}/ lacks {', '.join(absent)}: answers that are stored in DVC. "
            f"{_way_to_bring(folder, absent)} Without them every question would be asked again."
        )
    if command.is_proof:
        # Imported here: a plain start compares sizes and times alone.
        from narrative_runs.derivation.answers import must_be_as_they_came

        must_be_as_they_came(folder.journals)
    else:
        journal.must_be_as_sealed(folder.journals, with_content=False)
    params_module.refuse_secrets(params, origin)
    params_module.refuse_unreadable(params, origin)
    if state is None or not state.has_answers:
        # An experiment that an earlier release began keeps what it sends.
        params_module.refuse_overrides(params, origin)
    for warning in params_module.warnings(params):
        tell(f"WARNING: {warning}")
    _check_slug(folder, state, params, origin)
    if state is not None and state.has_answers:
        if command.is_proof:
            experiment.must_not_differ(state, params, origin)
        _warn_of_differences(state, params, origin)
        params = _with_limit(state, folder, experiment.with_frozen(state, params))
    if params.report.groups and folder.other_columns.exists():
        # Imported here: it knows tables, which no other command needs.
        from narrative_runs.source.groups import read_groups

        read_groups(folder.other_columns, params.report.groups)
    source_md5 = _checked_source(params, state)
    if state is None:
        _tell_of_the_same(params, source_md5)
    row = database.experiment(state.experiment_id) if state else None
    retry = command.retries
    recorded = row is not None and row["status"] == "completed" and folder.metrics.exists()
    recorded = recorded and not command.is_rederived
    behind = folder.metrics.exists() and not recorded and not command.is_rederived
    if row is not None and recorded and row["n_narratives_total"] != _wanted(folder, params, row):
        # A pilot that is extended.
        recorded = False
    completed = recorded and folder.report.exists()
    if row is not None and row["status"] == "cancelled":
        tell("WARNING: this experiment was cancelled. Continuing it now.")
    if command.experiment_id is not None and completed and row is not None and not retry:
        raise AlreadyCompleted(
            f"Cannot resume completed experiment {row['experiment_name']} ({command.experiment_id}), "
            f"completed {row['end_time']}. Its findings are in {folder.path}/."
        )
    planned = Plan(params, folder, state, source_md5, recorded, completed, behind, retry, command.categories, origin)
    is_done = state is not None and state.has_journals and (recorded or (behind and row is None))
    if state is not None and is_done and not is_by_this_code(folder):
        planned.difference = difference_of(state, _with_groups_of_findings(state, folder, params), folder, tell)
        is_left_alone = completed and not retry and not command.is_proof and not planned.difference
        planned.is_whole = is_left_alone and _is_whole(planned)
    if planned.difference and (retry or command.is_proof or row is None):
        raise ExperimentError(_message_of_difference(planned.difference, folder))
    if retry and row is not None:
        # Imported here: it knows the client's words, which no other command needs.
        from narrative_runs.monitoring.retries import retries_of

        retries = retries_of(row["experiment_id"], command.categories)
        for line in retries.on_the_terminal():
            tell(line)
        if recorded and not retries.n_asked:
            # Else it would keep a snapshot of the state before a retry that changes nothing.
            planned.retry_errors = False
    if completed and row is not None and not retry:
        tell(
            f"{row['experiment_name']} was completed {row['end_time']}: {row['n_narratives_processed']} narratives. "
            f"Its findings are in {folder.path}/."
        )
    if planned.difference:
        tell(f"Nothing was changed. {_message_of_difference(planned.difference, folder)}")
        if absent_files := [path for path in planned.findings_of_every_release if not Path(path).exists()]:
            tell(f"That also recreates the missing files: {', '.join(absent_files)}")
    return planned


def _must_be_whole(folder: ExperimentFolder) -> None:
    """Wait for what a killed run had in flight, and finish a rollback that was cut short."""
    wait_for_killed_run(folder.path, tell)
    aside = journal_set_aside.read(folder.journals)
    if aside is not None and aside.derive_from:
        # Imported here: it knows tables, which no other command needs.
        from narrative_runs.checkpoints.rollback import finish_if_cut_short

        finish_if_cut_short(folder, tell)


def _with_limit(state: ExperimentState, folder: ExperimentFolder, params: Params) -> Params:
    """The params, with a limit that takes nothing away."""
    limit = effective_limit(state, folder, params)
    if limit == params.run.max_narratives:
        return params
    tell(
        f"run.max_narratives is {params.run.max_narratives:,}, but there are results "
        f"{'for all narratives' if limit is None else f'up to narrative {limit:,}'} already: none is removed."
    )
    return params.model_copy(update={"run": params.run.model_copy(update={"max_narratives": limit})})


def _tell_of_the_same(params: Params, source_md5: str) -> None:
    """Say before the first question that another experiment has asked the same already, as after a change of name."""
    for folder, state in experiment.all_here():
        if isinstance(state, ExperimentState) and state.has_answers and state.source_md5 == source_md5:
            if experiment.differences(state, params):
                continue
            row = database.experiment(state.experiment_id)
            answered = f"{row['n_narratives_processed']:,} narratives" if row else "narratives"
            name = state.params["experiment"]["name"]
            is_completed = row is not None and row["status"] == "completed"
            tell(
                f"WARNING: {name} ({folder.path}/) used the same workbook, prompt and model, and has results for "
                f"{answered}. {params.experiment.name} is a new experiment and asks about all of them again. "
                + (
                    f"{name} is completed; its findings are in {folder.path}/."
                    if is_completed
                    else f"To continue {name} instead: `{to_resume(state.experiment_id)}`"
                )
            )


def _with_groups_of_findings(state: ExperimentState, folder: ExperimentFolder, params: Params) -> Params:
    """The params with the groups by which the findings were measured: other groups do not mean other answers."""
    groups = experiment.last_params(folder, state).get("report", {}).get("groups") or []
    return params.model_copy(update={"report": params.report.model_copy(update={"groups": groups})})


def _is_whole(planned: Plan) -> bool:
    """Whether every file is there, as the params want it."""
    assert planned.state is not None
    files = [planned.folder.description, *map(Path, planned.outputs)]
    changed = experiment.changes(experiment.last_params(planned.folder, planned.state), planned.params)
    return all(path.exists() for path in files) and not any(change.startswith(SHOWN_PARAMS) for change in changed)


def _message_of_difference(difference: Difference, folder: ExperimentFolder) -> str:
    return (
        f"This release ({__version__}) derives different findings from the same answers: {difference.words()} would "
        f"change; {folder.changes} lists them. To accept the changes and keep a copy of the old findings: "
        f"`narrative-runs rederive {folder.slug}`"
    )


def _way_to_bring(folder: ExperimentFolder, sessions: Sequence[str]) -> str:
    command = command_to_restore(*(folder.journals / f"{session}.dvc" for session in sessions))
    return (
        f"To restore them: `{command}`."
        if command
        else f"Copy {folder.journals}/ from the machine where the model was asked."
    )


def _by_id(experiment_id: str) -> tuple[ExperimentFolder, ExperimentState]:
    try:
        return experiment.find_by_id(experiment_id)
    except ExperimentError:
        row = database.experiment(experiment_id)
        if row is None or not row["slug"]:
            raise
        raise ExperimentError(_gone(row, ExperimentFolder(row["slug"]))) from None


def _params_by_id(state: ExperimentState, folder: ExperimentFolder, command: Command) -> Params:
    """The params of an experiment that is resumed by its id: the file's if it means this one, else as they were."""
    try:
        params = params_module.check({} if command.is_rederived else command.values, command.origin)
        if params.slug == folder.slug:
            return params
    except ParamsError:
        pass
    before = experiment.last_params(folder, state)
    return params_module.check(experiment.merged(before, command.overrides), str(folder.description))


def _check_slug(folder: ExperimentFolder, state: ExperimentState | None, params: Params, origin: str) -> None:
    """A slug is unique to one experiment: neither a copied file nor a lost folder may mix two under it."""
    way_out = f"Give the new experiment another name and slug in {origin}."
    for owner in experiment_rows.with_slug(folder.slug):
        if state is None or owner["experiment_id"] != state.experiment_id:
            raise ExperimentError(_gone(owner, folder))
    if state is not None and state.has_answers:
        name = state.params["experiment"]["name"]
        has_other_data = state.params["data"]["file"] != str(params.data.file)
        if name != params.experiment.name and (has_other_data or experiment.differences(state, params)):
            raise ExperimentError(
                f"experiment.slug: {folder.slug} belongs to another experiment, {name} "
                f"({state.experiment_id}). {way_out}"
            )


def _gone(row: Mapping[str, Any], folder: ExperimentFolder) -> str:
    """The message about an experiment that the record knows, but whose answers are not where they were."""
    return (
        f"{row['experiment_name']} ({row['experiment_id']}) was run in {folder.path}/, but its answers are no longer "
        f"there; the record holds {row['n_narratives_processed'] or 0:,} of its results. If you have a copy of that "
        "folder, put it back and start the same command again. If you have none, that experiment cannot be "
        "continued. To start a new one, either set another experiment.name and experiment.slug in the params, which "
        f"keeps the results in the record; or remove them for good: `narrative-runs forget {row['slug']}`"
    )


def _wanted(folder: ExperimentFolder, params: Params, row: Mapping[str, Any]) -> int:
    """How many of the workbook's narratives the params want; if the file with its counts is lost, as many as before."""
    if not folder.data_quality.exists():
        return int(row["n_narratives_total"])
    total = experiment.narratives_in_workbook(folder)
    return total if params.run.max_narratives is None else min(total, params.run.max_narratives)


def _warn_of_differences(state: ExperimentState, params: Params, origin: str) -> None:
    changed = experiment.differences(state, params)
    for key, old, new in changed:
        used, named = experiment.apart(old, new)
        tell(f"WARNING: {key} has been frozen since the first answer: {used} is used, not {named} from {origin}.")
    if changed:
        tell("To use the new values, start a new experiment with another experiment.name and slug.")


def _checked_source(params: Params, state: ExperimentState | None) -> str:
    """The md5 of the workbook, which must be the tracked one, and the one that the experiment began with."""
    workbook = params.data.file
    # A workbook that is missing but tracked is fetched by the workflow.
    md5 = checksum.verify(workbook) if workbook.exists() else checksum.tracked_md5(workbook)
    if state is not None and state.has_answers and state.source_md5 != md5:
        raise checksum.changed(workbook, state.source_md5, md5)
    return md5
