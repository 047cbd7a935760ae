"""One run of the workflow, from its lock to its last word."""

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
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import FrameType

from narrative_runs import __version__, experiment
from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.findings.pilot import Pilot
from narrative_runs.places import FORGETTING
from narrative_runs.record import database
from narrative_runs.session.cost import cost_of
from narrative_runs.session.lock import RunLock
from narrative_runs.session.order import Order
from narrative_runs.session.tether import SOCKET_VARIABLE
from narrative_runs.shell import to_run
from narrative_runs.signals import heard, name_of, stopped_by
from narrative_runs.source import rules
from narrative_runs.workflow.plan import Plan
from narrative_runs.workflow.screen import copy_of_the_screen, give_up, somebody_reads, tell

SESSION_MAY_END_S = 60.0
HUSH_MAY_TAKE_S = 2.0


class Run:
    """One run of the workflow: the lock, and the session that serves its jobs."""

    def __init__(self, planned: Plan) -> None:
        self._plan = planned
        self._lock: RunLock | None = None
        self._session: subprocess.Popen[str] | None = None
        self._is_stopped = False
        self._why = "the run stopped; its last lines say why"
        self._is_hushed = threading.Event()
        self._is_begun = False
        self._is_ended_at_once = False
        self._began_at = time.time()

    def begin(self) -> None:
        """Take the lock and start the session; ends the process with a message when that cannot be."""
        if self._plan.difference:
            give_up("nothing of it is made again, as this release would derive it differently: see above.")
        lock = RunLock(self._plan.folder.path)
        try:
            lock.acquire()
        except (NarrativeRunsError, OSError) as error:
            give_up(reason_of(error))
        self._lock = lock
        # Fresh eyes under the lock: another run may have begun or ended it meanwhile.
        begun = experiment.find(self._plan.folder)
        if begun is not None and begun.has_answers and not (self._plan.begun and self._plan.begun.has_answers):
            # The plan was made before its params were frozen, perhaps from another prompt.
            give_up("this experiment was begun by another run meanwhile. Start the same command again.")
        order = Order(
            slug=self._plan.slug,
            experiment_id=begun.experiment_id if begun else str(uuid.uuid4()),
            source_md5=self._plan.source_md5,
            params=self._plan.params.model_dump(mode="json"),
            began_at=begun.began_at if begun else datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            reading_rules=begun.reading_rules if begun else rules.CURRENT.number,
            earlier_release=begun.release if begun and begun.release != __version__ else "",
            resumes=begun is not None and begun.has_journals,
            recorded=self._plan.recorded and not self._plan.retry_errors,
            retry_errors=self._plan.retry_errors,
            retry_categories=list(self._plan.retry_categories),
            changes=self._changes(begun),
            copy_to=None if (copy := copy_of_the_screen()) is None else os.dup(copy),
        )
        self._stop_gently_on_signals(lock)
        # Standard output of the session is its line to this process: it gets the file by another number.
        self._session = subprocess.Popen(
            [sys.executable, "-m", "narrative_runs.session"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=() if order.copy_to is None else (order.copy_to,),
        )
        logging.getLogger("snakemake.logging").addFilter(self._is_to_be_heard)
        self._say(json.dumps(asdict(order)))
        assert self._session.stdout is not None
        answer = json.loads(self._session.stdout.readline() or '{"error": "the session did not start"}')
        if "error" in answer:
            self._tell_end(answer["error"])
            lock.forget()
            give_up(answer["error"])
        os.environ[SOCKET_VARIABLE] = answer["socket"]
        lock.tell(answer["socket"])
        threading.Thread(target=self._listen, daemon=True).start()
        self._is_begun = True

    def _changes(self, begun: experiment.Begun | None) -> list[str]:
        if begun is None or not begun.has_answers:
            return []
        return experiment.changes(experiment.last_params(self._plan.folder, begun), self._plan.params)

    def _is_to_be_heard(self, told: logging.LogRecord) -> bool:
        """The session speaks to the user; of Snakemake only that is heard which the session does not explain."""
        # A pipe whose reader is gone: Snakemake would fail on it in a thread, and then wait for its jobs for ever.
        if told.levelno < logging.WARNING or self._is_stopped or not somebody_reads():
            self._show_command(told)
            return False
        self._hush()
        return True

    def _show_command(self, told: logging.LogRecord) -> None:
        """Show a job's command where somebody asks for it: the profile keeps Snakemake quiet of its jobs."""
        command = str(getattr(told, "shellcmd", None) or "")
        if command and told.getMessage().startswith("Shell command") and {"-p", "--printshellcmds"} & set(sys.argv):
            self._hush()
            tell(command)

    def _hush(self) -> None:
        """Have the session take its block off the terminal, so that this process may write there."""
        if self._session is None or self._session.poll() is not None:
            return
        self._is_hushed.clear()
        self._say("hush")
        self._is_hushed.wait(HUSH_MAY_TAKE_S)

    def _listen(self) -> None:
        assert self._session is not None and self._session.stdout is not None
        for line in self._session.stdout:
            if line.startswith('{"hushed"'):
                self._is_hushed.set()
            else:
                self._is_stopped = True
                self._why = json.loads(line).get("stopped") or self._why
        self._is_hushed.set()

    def _tell_end(self, reason: str) -> None:
        if self._lock is not None:
            with suppress(OSError):
                self._lock.tell("", ended=reason)

    def _stop_gently_on_signals(self, lock: RunLock) -> None:
        # Left alone, Snakemake waits until running jobs are done, which can be hours.
        let_no_job_begin, ending = signal.getsignal(signal.SIGTERM), heard()

        def stop_at_once(_: int, __: FrameType | None) -> None:
            # The session ends without its jobs, and they with it; Snakemake then has nothing to wait for.
            self._is_ended_at_once = True
            self._say("quit")

        def stop(number: int, frame: FrameType | None) -> None:
            if not self._is_begun:
                lock.forget()
                give_up(f"{stopped_by(number)}, before anything was asked.")
            for each in ending:
                signal.signal(each, stop_at_once)
            # Whatever Snakemake says of its jobs from now on is no news.
            self._hush()
            self._is_stopped = True
            tell(f"Stopping ({name_of(number)}): requests in flight may end, for up to 30 s. Once more stops at once.")
            self._why = stopped_by(number)
            self._say(f"stop {self._why}")
            if callable(let_no_job_begin):
                # In a thread: this may have interrupted the scheduler while it holds the lock that this takes.
                threading.Thread(target=let_no_job_begin, args=(number, frame)).start()

        for each in ending:
            signal.signal(each, stop)

    def end(self, outcome: str) -> None:
        """Let the session finish; outcome: `success` or `failure`."""
        if self._session is None:
            return
        if self._session.poll() is not None and not self._is_ended_at_once:
            tell("The run stopped: its session process ended unexpectedly.")
        self._say(f"end {outcome}")
        try:
            self._session.wait(SESSION_MAY_END_S)
        except subprocess.TimeoutExpired:
            self._session.kill()
        self._session = None
        if FORGETTING.exists():
            # Imported here: it is rare.
            from narrative_runs.removal.forget import compact_what_is_left

            with suppress(NarrativeRunsError, OSError):
                compact_what_is_left(self._plan.folder.path)
        if outcome == "success":
            # A part of the workflow, such as `snakemake source`, has made no findings.
            if _changed_at(self._plan.folder.metrics) >= self._began_at:
                show(self._plan)
        elif self._lock is not None and not self._plan.folder.description.exists():
            self._lock.forget()
        else:
            self._tell_end(self._why)
            tell("Nothing that was answered is asked twice. To continue:")
            tell(f"snakemake {shlex.join(sys.argv[1:])}")

    def _say(self, line: str) -> None:
        assert self._session is not None and self._session.stdin is not None
        try:
            self._session.stdin.write(line + "\n")
            self._session.stdin.flush()
        except BrokenPipeError:
            pass


def _changed_at(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def show(planned: Plan) -> None:
    """Print the metrics as a table, and where the findings are."""
    from narrative_runs.findings.summary import print_summary

    with suppress(OSError):
        print_summary(json.loads(planned.folder.metrics.read_text(encoding="utf-8")), planned.folder)
    for line in _pilot_lines(planned):
        tell(line)


def _pilot_lines(planned: Plan) -> list[str]:
    """What the first narratives tell of all; nothing where all were asked."""
    quality = json.loads(planned.folder.data_quality.read_text(encoding="utf-8"))
    begun, whole = experiment.find(planned.folder), int(quality["narratives"]["total"])
    row = database.experiment(begun.experiment_id) if begun is not None else None
    if row is None or not 0 < row["n_narratives_processed"] < whole:
        return []
    (tokens,) = database.query(
        "SELECT coalesce(sum(prompt_tokens), 0) AS prompt, coalesce(sum(completion_tokens), 0) AS completion, "
        "coalesce(sum(tokens_used), 0) AS used FROM narrative_results WHERE experiment_id = ?",
        (row["experiment_id"],),
    )
    pilot = Pilot(
        done=row["n_narratives_processed"],
        whole=whole,
        asking_s=row["total_runtime_sec"] or 0.0,
        answer_s=row["avg_time_per_narrative_sec"],
        tokens=tokens["used"],
        cost=cost_of(tokens["prompt"], tokens["completion"], planned.params.run),
    )
    return pilot.lines(f"{to_run(Path(planned.origin))} --config run='{{max_narratives: null}}'")
