"""All that the Snakefile calls: what is planned (reading only), what begins a run, and what ends it."""

import json
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from narrative_runs import experiment
from narrative_runs import params as params_module
from narrative_runs.errors import AlreadyCompleted, NarrativeRunsError, ParamsError
from narrative_runs.experiment import Begun
from narrative_runs.params import Params
from narrative_runs.places import ExperimentFolder, shard_name
from narrative_runs.record import database
from narrative_runs.session.link import SOCKET_VARIABLE
from narrative_runs.session.lock import RunLock
from narrative_runs.session.order import Order
from narrative_runs.source import checksum

PARAMS_FILE = Path("params.yaml")
RETRY_RULE = "retry_errors"
SESSION_MAY_END_S = 60.0


@dataclass
class Plan:
    """One experiment as this command finds it; nothing is written while it is made."""

    params: Params
    folder: ExperimentFolder
    begun: Begun | None
    source_md5: str
    completed: bool
    retry_errors: bool

    @property
    def record_is_behind(self) -> bool:
        """Whether the findings are there but the record does not call the experiment completed."""
        return not self.completed and self.folder.metrics.exists()

    @property
    def slug(self) -> str:
        """The experiment's folder name under results/."""
        return self.folder.slug

    @property
    def shards(self) -> list[str]:
        """The names of all shards."""
        count = self.params.shards.count
        return [shard_name(shard, count) for shard in range(1, count + 1)]

    @property
    def findings(self) -> list[str]:
        """The files that the last rule writes, metrics.json at the end."""
        names = ["results.parquet", "results.xlsx"]
        if self.params.run.save_csv_json:
            names += ["results.csv", "results.json"]
        return [str(self.folder.path / name) for name in [*names, "metrics.json"]]

    @property
    def tracking_file(self) -> str:
        """The workbook's .dvc file: its content changes with the workbook's, not with a touch."""
        return str(checksum.tracking_file(self.params.data.file))


def plan(config: Mapping[str, Any], overrides: Mapping[str, Any], config_files: Sequence[Path]) -> Plan:
    """Find out which experiment is meant, and check what can be checked without writing.

    config: Snakemake's merged config; overrides: what `--config` gave; config_files: what `--configfile` gave.

    Ends the process with a message when the experiment cannot be run.
    """
    try:
        # Jobs are started by this interpreter's own environment, whatever the shell's PATH says.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return _plan(config, overrides, config_files, _forced_rules())
    except NarrativeRunsError as error:
        _give_up(error)


def _plan(
    config: Mapping[str, Any], overrides: Mapping[str, Any], config_files: Sequence[Path], forced_rules: set[str]
) -> Plan:
    origin = str(config_files[-1]) if config_files else str(PARAMS_FILE)
    values = dict(config) if config_files else experiment.merged(params_module.read_file(PARAMS_FILE), overrides)
    experiment_id = values.pop("experiment_id", None)
    if experiment_id is None:
        params = params_module.check(values, origin)
        folder = ExperimentFolder(params.slug)
        begun = experiment.find(folder)
    else:
        folder, begun = experiment.find_by_id(str(experiment_id))
        params = _params_by_id(begun, folder, values, overrides, origin)
    for warning in params_module.warnings(params):
        tell(f"WARNING: {warning}")
    if begun is not None and begun.has_answers:
        _warn_of_differences(begun, params, origin)
        params = experiment.with_frozen(begun, params)
    source_md5 = _checked_source(params, begun)
    row = database.experiment(begun.experiment_id) if begun else None
    retry = RETRY_RULE in forced_rules
    completed = row is not None and row["status"] == "completed" and folder.metrics.exists()
    if experiment_id is not None and completed and row is not None and not retry:
        raise AlreadyCompleted(
            f"Cannot resume completed experiment {row['experiment_name']} ({experiment_id}), "
            f"completed {row['end_time']}. Its findings are in {folder.path}/."
        )
    planned = Plan(params, folder, begun, source_md5, completed, retry)
    if completed and row is not None and not retry:
        tell(
            f"{row['experiment_name']} was completed {row['end_time']}: {row['n_narratives_processed']} narratives. "
            f"Its findings are in {folder.path}/."
        )
    return planned


def _forced_rules() -> set[str]:
    # Snakemake reads the Snakefile before it tells what --forcerun gave.
    from snakemake.cli import get_argument_parser

    try:
        return set(get_argument_parser().parse_known_args(sys.argv[1:])[0].forcerun or ())
    except SystemExit:
        return set()


def _params_by_id(
    begun: Begun, folder: ExperimentFolder, values: dict[str, Any], overrides: Mapping[str, Any], origin: str
) -> Params:
    """The params of an experiment that is resumed by its id: the file's if it means this one, else as they were."""
    try:
        params = params_module.check(values, origin)
        if params.slug == folder.slug:
            return params
    except ParamsError:
        pass
    on_top = {key: value for key, value in overrides.items() if key != "experiment_id"}
    return params_module.check(experiment.merged(begun.params, on_top), str(folder.description))


def _warn_of_differences(begun: Begun, params: Params, origin: str) -> None:
    changed = experiment.differences(begun, params)
    for key, old, new in changed:
        tell(f"WARNING: {key} is frozen since the first answer: {_short(old)} is used, not {_short(new)} of {origin}.")
    if changed:
        tell("To ask with the new values, start a new experiment: give it another experiment.name and slug.")


def _checked_source(params: Params, begun: Begun | None) -> str:
    """The md5 of the workbook, which must be the tracked one, and the one that the experiment began with."""
    workbook = params.data.file
    # A workbook that is missing but tracked is fetched by the workflow.
    md5 = checksum.verify(workbook) if workbook.exists() else checksum.tracked_md5(workbook)
    if begun is not None and begun.has_answers and begun.source_md5 != md5:
        raise checksum.changed(workbook, begun.source_md5, md5)
    return md5


class Run:
    """One run of the workflow: the lock, and the session that serves its jobs."""

    def __init__(self, planned: Plan) -> None:
        self._plan = planned
        self._lock: RunLock | None = None
        self._session: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Take the lock and start the session; ends the process with a message when that cannot be."""
        lock = RunLock(self._plan.folder.path)
        try:
            lock.acquire()
        except NarrativeRunsError as error:
            _give_up(error)
        self._lock = lock
        # Fresh eyes under the lock: another run may have begun or ended it meanwhile.
        begun = experiment.find(self._plan.folder)
        order = Order(
            slug=self._plan.slug,
            experiment_id=begun.experiment_id if begun else str(uuid.uuid4()),
            source_md5=self._plan.source_md5,
            params=self._plan.params.model_dump(mode="json"),
            began_at=begun.began_at if begun else datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            resumes=begun is not None and begun.has_answers,
            retry_errors=self._plan.retry_errors,
        )
        self._session = subprocess.Popen(
            [sys.executable, "-m", "narrative_runs.session.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # From here on the session speaks to the user; of Snakemake only warnings and errors are heard.
        logging.getLogger("snakemake.logging").addFilter(lambda told: told.levelno >= logging.WARNING)
        self._say(json.dumps(asdict(order)))
        assert self._session.stdout is not None
        answer = json.loads(self._session.stdout.readline() or '{"error": "the session did not start"}')
        if "error" in answer:
            lock.forget()
            _give_up(answer["error"])
        os.environ[SOCKET_VARIABLE] = answer["socket"]

    def end(self, outcome: str) -> None:
        """Let the session finish; outcome: `success` or `failure`."""
        if self._session is None:
            return
        self._say(f"end {outcome}")
        try:
            self._session.wait(SESSION_MAY_END_S)
        except subprocess.TimeoutExpired:
            self._session.kill()
        self._session = None
        if outcome == "success":
            show(self._plan)
        elif self._lock is not None and not self._plan.folder.description.exists():
            self._lock.forget()
        else:
            tell("Start the same command again to go on: nothing that was answered is asked twice.")

    def _say(self, line: str) -> None:
        assert self._session is not None and self._session.stdin is not None
        try:
            self._session.stdin.write(line + "\n")
            self._session.stdin.flush()
        except BrokenPipeError:
            pass


def show(planned: Plan) -> None:
    """Print the metrics as a table, and where the findings are."""
    from narrative_runs.findings.summary import print_summary

    print_summary(json.loads(planned.folder.metrics.read_text(encoding="utf-8")), planned.folder)


def tell(text: str) -> None:
    """Show one line to the user."""
    print(text, file=sys.stderr, flush=True)


def _give_up(reason: object) -> NoReturn:
    raise SystemExit(f"narrative-runs: {reason}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:40]} … {text[-15:]}"
