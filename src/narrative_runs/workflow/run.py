"""One run of the workflow, from its lock to its end."""

import atexit
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from narrative_runs import __version__, experiment
from narrative_runs import params as params_module
from narrative_runs.asking.server import API_KEY_VARIABLE
from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.findings.estimates_file import BELOW, MADE_FROM, read_estimates, wish_of
from narrative_runs.findings.pilot import Pilot
from narrative_runs.findings.rounding import count_of
from narrative_runs.job_environment import ADDRESS_VARIABLE, JOBS_VARIABLE
from narrative_runs.observation.cost import cost_of
from narrative_runs.observation.notice import Event, Notice, notice_of_end
from narrative_runs.observation.notifier import MAY_TAKE_S, Notifier
from narrative_runs.paths import FORGETTING
from narrative_runs.record import database, result_rows
from narrative_runs.record.error_rows import error_counts
from narrative_runs.run_lock import RunLock
from narrative_runs.run_spec import RunSpec
from narrative_runs.seen_narratives import seen_digests
from narrative_runs.shell import to_retry, to_retry_by_file, to_run
from narrative_runs.signals import heard, name_of, stopped_by
from narrative_runs.source import rules
from narrative_runs.workflow.failed_job import message_of_failed_job, name_of_failed_job
from narrative_runs.workflow.plan import Plan
from narrative_runs.workflow.terminal import copy_of_the_terminal, give_up, somebody_reads, tell

COORDINATOR_MAY_END_S = 60.0
PAUSE_MAY_TAKE_S = 2.0
TELL_OF_WAITING_AFTER_S = 3.0
JUST_AFTER_S = 1.0


class Run:
    """One run of the workflow: the lock, and the coordinator that asks, and serves the jobs."""

    def __init__(self, planned: Plan) -> None:
        self._plan = planned
        self._lock: RunLock | None = None
        self._coordinator: subprocess.Popen[str] | None = None
        self._is_stopped = False
        self._why = "the run stopped; its last lines say why"
        self._is_paused = threading.Event()
        self._is_started = False
        self._is_ended_at_once = False
        self._asks_elsewhere = False
        self._began_at = time.time()
        self._reasons_of_jobs: set[str] = set()
        self._notifier = Notifier(None, planned.folder, tell)
        self._experiment_id = ""

    def begin(self, jobs: Iterable[Any], asks_elsewhere: bool = False) -> None:
        """Take the lock and start the coordinator; ends the process with a message if it cannot.

        jobs: those that Snakemake has planned; asks_elsewhere: whether other hosts ask for the shards.
        """
        if self._plan.difference:
            give_up("nothing was recreated, because this release would derive it differently: see above.")
        lock = RunLock(self._plan.folder.path)
        try:
            lock.acquire(tell)
        except (NarrativeRunsError, OSError) as error:
            give_up(reason_of(error))
        self._lock = lock
        # However this process ends, unless it is killed: a run on another host need not wait then.
        atexit.register(lock.release)
        # Looked at again under the lock: another run may have started or ended it meanwhile.
        state = experiment.find(self._plan.folder)
        has_answers = state is not None and state.has_answers
        if has_answers and not (self._plan.state and self._plan.state.has_answers):
            # The plan was made before its params were frozen, perhaps from another prompt.
            give_up("another run has started this experiment in the meantime. Start the same command again.")
        self._asks_elsewhere = asks_elsewhere
        planned = list(jobs)
        spec = RunSpec(
            slug=self._plan.slug,
            experiment_id=state.experiment_id if state else str(uuid.uuid4()),
            source_md5=self._plan.source_md5,
            params=self._plan.params.model_dump(mode="json"),
            began_at=state.began_at if state else datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            reading_rules=state.reading_rules if state else rules.CURRENT.number,
            earlier_release=state.release if state and state.release != __version__ else "",
            resumes=state is not None and state.has_journals,
            recorded=self._plan.recorded and not self._plan.retry_errors,
            retry_errors=self._plan.retry_errors,
            retry_categories=list(self._plan.retry_categories),
            changes=self._changes(state),
            shards=sorted(job.wildcards.shard for job in planned if job.rule.name == "classify"),
            reads_workbook=any(job.rule.name == "source" for job in planned),
            asks_elsewhere=asks_elsewhere,
            lock_token=lock.token,
            copy_to=None if (copy := copy_of_the_terminal()) is None else os.dup(copy),
            # What is seen later cannot have led to the params, which the first answer freezes.
            seen_before=[] if has_answers else self._seen(lock),
        )
        # That only files are made again is nothing to call anybody for.
        notify = None if spec.recorded else self._plan.params.run.notify
        self._notifier = Notifier(notify, self._plan.folder, self._tell_beside)
        self._experiment_id = spec.experiment_id
        self._stop_gently_on_signals(lock)
        # Standard output of the coordinator is its line to this process: it gets the file by another number.
        self._coordinator = subprocess.Popen(
            [sys.executable, "-m", "narrative_runs.coordination"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=() if spec.copy_to is None else (spec.copy_to,),
        )
        logging.getLogger("snakemake.logging").addFilter(self._is_to_be_heard)
        self._say(json.dumps(asdict(spec)))
        assert self._coordinator.stdout is not None
        answer = json.loads(self._coordinator.stdout.readline() or '{"error": "the coordinator did not start"}')
        if "error" in answer:
            self._tell_end(answer["error"])
            lock.forget()
            give_up(answer["error"])
        os.environ[ADDRESS_VARIABLE] = answer["address"]
        os.environ[JOBS_VARIABLE] = answer["jobs"]
        # Schedulers write the environment of their jobs to disk: the coordinator alone keeps the key from now on.
        os.environ.pop(API_KEY_VARIABLE, None)
        lock.tell(answer["elsewhere"] or answer["address"])
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self._is_started = True

    def _seen(self, lock: RunLock) -> list[str]:
        """The digests of all narratives that were seen by now, in order; ends the process if that cannot be read."""
        try:
            return sorted(seen_digests())
        except NarrativeRunsError as error:
            lock.forget()
            give_up(error)

    def _changes(self, state: experiment.ExperimentState | None) -> list[str]:
        if state is None or not state.has_answers:
            return []
        return experiment.changes(experiment.last_params(self._plan.folder, state), self._plan.params)

    def _is_to_be_heard(self, entry: logging.LogRecord) -> bool:
        """The coordinator speaks to the user; Snakemake is heard only about what the coordinator does not explain."""
        # A pipe whose reader is gone: Snakemake would fail on it in a thread, and then wait for its jobs for ever.
        if entry.levelno < logging.WARNING or self._is_stopped or not somebody_reads():
            self._show_command(entry)
            return False
        self._pause()
        if self._is_stopped:
            # Stopped meanwhile: what Snakemake says of its jobs follows from this.
            return False
        if not self._asks_elsewhere:
            # Snakemake waits until the other jobs are done, which can be hours.
            if name := name_of_failed_job(entry):
                self._say(f"failed {name}")
        elif message := message_of_failed_job(entry):
            tell(message)
        return True

    def _show_command(self, entry: logging.LogRecord) -> None:
        """Show a job's command if somebody asks for it: the profile keeps Snakemake quiet about its jobs."""
        command = str(getattr(entry, "shellcmd", None) or "")
        if command and entry.getMessage().startswith("Shell command") and {"-p", "--printshellcmds"} & set(sys.argv):
            self._pause()
            tell(command)

    def _pause(self) -> None:
        """Make the coordinator take its panel off the terminal, so that this process may write there."""
        if self._coordinator is None or self._coordinator.poll() is not None:
            return
        self._is_paused.clear()
        self._say("pause")
        self._is_paused.wait(PAUSE_MAY_TAKE_S)

    def _listen(self) -> None:
        assert self._coordinator is not None and self._coordinator.stdout is not None
        for line in self._coordinator.stdout:
            match json.loads(line):
                case {"paused": _}:
                    self._is_paused.set()
                case {"taken_over": _}:
                    self._leave()
                case {"notice": event, "message": message}:
                    self._notifier.send(Notice(Event(event), message))
                case {"job_failed": reason}:
                    self._reasons_of_jobs.add(reason)
                case {"stopped": reason}:
                    self._is_stopped = True
                    self._why = reason or self._why
        self._is_paused.set()

    def _leave(self) -> NoReturn:
        """End as if killed: whatever this process would still put in order belongs to another run by now."""
        self._notifier.end()
        tell("The answers received here are kept, and that run continues from them. If it ends before all is done:")
        self._tell_command()
        os._exit(1)

    def _tell_beside(self, text: str) -> None:
        """Show a line while the coordinator has the terminal."""
        self._pause()
        tell(text)

    def _tell_command(self) -> None:
        tell(f"snakemake {shlex.join(sys.argv[1:])}")

    def _tell_end(self, reason: str) -> None:
        if self._lock is not None:
            with suppress(OSError):
                self._lock.tell("", ended=reason)

    def _stop_gently_on_signals(self, lock: RunLock) -> None:
        # Left alone, Snakemake waits until running jobs are done, which can be hours.
        let_no_job_begin, ending = signal.getsignal(signal.SIGTERM), heard()

        def stop_at_once(_: int, __: FrameType | None) -> None:
            # The coordinator ends without its jobs, and they with it; Snakemake then has nothing to wait for.
            self._is_ended_at_once = True
            self._say("quit")

        def stop(number: int, frame: FrameType | None) -> None:
            if not self._is_started:
                lock.forget()
                give_up(f"{stopped_by(number)}, before anything was asked.")
            for each in ending:
                signal.signal(each, stop_at_once)
            # What Snakemake says of its jobs from now on follows from this.
            self._is_stopped = True
            self._pause()
            tell(
                f"Stopping ({name_of(number)}): requests in flight have up to 30 s to finish. "
                "A second one stops at once."
            )
            self._why = stopped_by(number)
            self._say(f"stop {self._why}")
            if callable(let_no_job_begin):
                # In a thread: this may have interrupted the scheduler while it holds the lock that this takes.
                threading.Thread(target=let_no_job_begin, args=(number, frame)).start()

        for each in ending:
            signal.signal(each, stop)

    def end(self, outcome: str) -> None:
        """Let the coordinator finish; outcome: `success` or `failure`."""
        _end_timers()
        if self._coordinator is None:
            return
        if self._coordinator.poll() is not None and not self._is_ended_at_once:
            tell("The run stopped: its coordinator ended unexpectedly.")
            if not self._is_stopped:
                self._why = "the coordinator ended unexpectedly"
        self._say(f"end {outcome}")
        try:
            self._coordinator.wait(COORDINATOR_MAY_END_S)
        except subprocess.TimeoutExpired:
            self._coordinator.kill()
        self._coordinator = None
        self._listening.join(PAUSE_MAY_TAKE_S)
        self._notify_of_end(outcome)
        if FORGETTING.exists() and not (self._lock is not None and self._lock.why_lost()):
            # Imported here: it is rare.
            from narrative_runs.removal.forget import compact_what_is_left

            with suppress(NarrativeRunsError, OSError):
                compact_what_is_left(self._plan.folder.path)
        if outcome == "success":
            # A part of the workflow, such as `snakemake source`, has made no findings.
            if _changed_at(self._plan.folder.metrics) >= self._began_at:
                show(self._plan, self._experiment_id)
            _show_estimates_of_another_limit(self._plan)
            self._wait_for_notices()
        elif self._lock is not None and not self._plan.folder.description.exists():
            self._lock.forget()
        else:
            self._tell_end(self._why)
            self._wait_for_notices()
            tell("Nothing that was answered is asked twice. To continue:")
            self._tell_command()

    def _notify_of_end(self, outcome: str) -> None:
        """Run the user's own command, if the experiment has started and still belongs to this run."""
        if self._is_ended_at_once:
            self._notifier.end()
        elif not self._notifier.is_wanted:
            return
        elif self._plan.folder.description.exists() and not (self._lock is not None and self._lock.why_lost()):
            # What a job says may name an incident.
            is_of_job = self._why in self._reasons_of_jobs
            reason = "a job of the workflow failed" if is_of_job else self._why
            self._notifier.send(notice_of_end(self._experiment_id, outcome == "success", reason))

    def _wait_for_notices(self) -> None:
        """Let the user's own command finish, for as long as it may take; a signal ends it at once."""
        for each in heard() if self._notifier.is_wanted else ():
            signal.signal(each, lambda *_: self._notifier.end())
        if not self._notifier.wait(TELL_OF_WAITING_AFTER_S):
            left = MAY_TAKE_S - TELL_OF_WAITING_AFTER_S
            tell(f"Waiting up to {left:.0f} s for the command in run.notify. Press Ctrl-C to end it.")
            self._notifier.close(left + JUST_AFTER_S)

    def _say(self, line: str) -> None:
        coordinator = self._coordinator
        if coordinator is None or coordinator.stdin is None:
            return
        left = f"{line}\n".encode()
        # Not through its buffer: a signal may come while that is written to, and says something itself.
        with suppress(BrokenPipeError):
            while left:
                left = left[os.write(coordinator.stdin.fileno(), left) :]


def _end_timers() -> None:
    """End the timers by which Snakemake looks again whether a job may begin: they would keep the process a second."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def _changed_at(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def show(planned: Plan, experiment_id: str) -> None:
    """Print the metrics as a table, where the findings are, and what can be done next."""
    from narrative_runs.findings.summary import print_summary

    with suppress(OSError):
        print_summary(json.loads(planned.folder.metrics.read_text(encoding="utf-8")), planned.folder)
    row = database.experiment(experiment_id)
    for line in [*_retry_lines(planned, row), *_pilot_lines(planned, row)] if row is not None else ():
        tell(line)


def _show_estimates_of_another_limit(planned: Plan) -> None:
    """Say how to make the estimates anew if their files mask other counts than the report does now."""
    folder = planned.folder
    try:
        content = read_estimates(folder)
        if content is None or content[MADE_FROM].get(BELOW) == planned.params.report.suppress_below:
            return
        command = wish_of(content, folder).command(folder.slug)
    except NarrativeRunsError:
        # The report says why they cannot be read.
        return
    tell(
        f"{folder.estimates} and {folder.estimates_table} are of another report.suppress_below, and the report leaves "
        f"them out. To make them anew, which asks nothing: `{command}`"
    )


def _retry_lines(planned: Plan, row: Mapping[str, Any]) -> list[str]:
    """How to ask again about the errors; nothing if there are none. row: the record's, of the experiment."""
    n_errors = sum(error_counts(row["experiment_id"]).values())
    if not n_errors:
        return []
    command = to_retry_by_file(Path(planned.origin)) if _is_of_file(planned) else to_retry(row["experiment_id"])
    return [f"{count_of(n_errors, 'error')}: to ask again: `{command}`"]


def _is_of_file(planned: Plan) -> bool:
    """Whether the params file alone names this experiment, which `--config` can change."""
    try:
        return params_module.of_file(Path(planned.origin)).slug == planned.slug
    except NarrativeRunsError:
        return False


def _pilot_lines(planned: Plan, row: Mapping[str, Any]) -> list[str]:
    """What the first narratives say about all; nothing if all were asked. row: the record's, of the experiment."""
    whole = experiment.narratives_in_workbook(planned.folder)
    if not 0 < row["n_narratives_processed"] < whole:
        return []
    tokens = result_rows.tokens_of(row["experiment_id"])
    pilot = Pilot(
        done=row["n_narratives_processed"],
        whole=whole,
        asking_s=row["total_runtime_sec"] or 0.0,
        answer_s=row["avg_time_per_narrative_sec"],
        tokens=tokens.used,
        cost=cost_of(tokens.prompt, tokens.completion, planned.params.run),
    )
    return pilot.lines(f"{to_run(Path(planned.origin))} --config run='{{max_narratives: null}}'")
