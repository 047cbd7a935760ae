"""The session's process: started by the main process, and gone with it.

Standard input: one JSON line, the order; then `stop <reason>` to let no further request begin, and `end <success or
failure>` at the run's end. When it ends without that word, the main process is gone, and so is this one.
Standard output: one JSON line, `{"socket": path}` or `{"error": message}`; then `{"stopped": reason}` when the run has
to stop.
"""

import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from narrative_runs import __version__, journal
from narrative_runs.asking.client import Client, Server, tls_for
from narrative_runs.asking.failures import RequestFailed
from narrative_runs.asking.request import Question
from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.experiment import Begun, describe
from narrative_runs.params import Params, check
from narrative_runs.places import ExperimentFolder
from narrative_runs.record import state
from narrative_runs.session.error_watch import ErrorWatch
from narrative_runs.session.follower import Follower
from narrative_runs.session.gate import Gate, Limits
from narrative_runs.session.gate_server import GateServer
from narrative_runs.session.lock import hold_as_child
from narrative_runs.session.logs import Logs
from narrative_runs.session.model_server import ModelServer
from narrative_runs.session.order import Order
from narrative_runs.session.progress import Progress, line
from narrative_runs.source.shards import Narrative

FOLLOW_EVERY_S = 1.0
TELL_EVERY_S = 30.0
TELL_EVERY = 100
TIME = "%Y-%m-%d %H:%M:%S"


def main() -> None:
    """Run one session, as told on standard input."""
    # Ctrl-C reaches the whole group; the main process decides what follows from it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = Order(**json.loads(sys.stdin.readline()))

    async def serve() -> None:
        await Session(order).run()

    asyncio.run(serve())


class Session:
    """One sitting of a run."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._folder = ExperimentFolder(order.slug)
        self._params: Params = check(order.params, "the session's params")
        self._progress = Progress(began=time.monotonic())
        self._told_done, self._told_at = 0, time.monotonic()
        self._model_server = ModelServer(self._params, self._folder.logs, say)
        self._follower = Follower(self._folder, order.experiment_id, self._params, self._progress)
        self._watch = ErrorWatch()
        self._logs: Logs | None = None
        self._gate_server: GateServer | None = None
        self._outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the jobs until the main process says that the run has ended, or is gone."""
        hold_as_child(self._folder.path)
        with tempfile.TemporaryDirectory(prefix="narrative-runs-") as private:
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._hear_main_process, args=(loop, Path(private)), daemon=True).start()
            socket = Path(private) / "session"
            try:
                gate_server = await self._begin()
                server = await gate_server.listen(socket)
            except (NarrativeRunsError, OSError) as error:
                _report({"error": reason_of(error)})
                self._model_server.close()
                return
            self._gate_server = gate_server
            _report({"socket": str(socket)})
            following = asyncio.create_task(self._keep_following(gate_server))
            outcome = await self._outcome
            following.cancel()
            server.close()
            await asyncio.to_thread(self._end, outcome, gate_server)

    def _hear_main_process(self, loop: asyncio.AbstractEventLoop, private: Path) -> None:
        # In a thread of its own, so that nothing that this process is busy with can keep it from ending.
        for heard in sys.stdin:
            word, _, rest = heard.strip().partition(" ")
            if word == "end":
                loop.call_soon_threadsafe(self._outcome.set_result, rest)
                return
            if word == "stop" and self._gate_server is not None:
                loop.call_soon_threadsafe(self._gate_server.stop, rest)
        # The main process is gone; with this one go the jobs, and the embedded server.
        shutil.rmtree(private, ignore_errors=True)
        os._exit(1)

    async def _begin(self) -> GateServer:
        order, params = self._order, self._params
        opened: Server | None = None
        if not order.resumes:
            # Before anything is written: can the model be asked at all?
            opened = await self._model_server.open()
        torn = journal.cut_torn_lines(self._folder.journals)
        session = journal.next_session(self._folder.journals)
        if order.resumes:
            state.back_up()
        if self._folder.data_quality.exists():
            self.begin_writing()
        if torn:
            self.tell(f"{torn} torn last lines were cut off the journals; their narratives are asked again.")
        gate = Gate(
            Limits(
                params.run.max_in_flight,
                params.run.requests_per_minute,
                params.run.budget_tokens,
                params.run.give_up_after_s,
            ),
            spent_tokens=self._progress.tokens,
            answered=self._progress.completed,
        )
        settings = {
            "slug": order.slug,
            "params": order.params,
            "session": session,
            "model": self._follower.model,
            "retry_errors": order.retry_errors,
            "head": {
                "experiment_id": order.experiment_id,
                "slug": order.slug,
                "source_md5": order.source_md5,
                "params": order.params,
                "began_at": order.began_at,
                "session": session,
                "host": platform.node(),
                "git_commit": _git_commit(),
                "session_began_at": datetime.now().astimezone().isoformat(timespec="seconds"),
                "software_version": __version__,
            },
        }

        async def open_server() -> Server:
            return opened or await self._model_server.open()

        return GateServer(gate, settings, open_server, self)

    def begin_writing(self) -> None:
        """Bring the experiment into its folder and the record; until the workbook has proved sound, nothing is."""
        order = self._order
        began = Begun(order.experiment_id, order.source_md5, order.params, order.resumes, order.began_at)
        describe(self._folder, began)
        state.begin(order.experiment_id, order.began_at, self._folder, self._params)
        self._logs = Logs(self._folder.logs)
        self._logs.event(f"a session begins, version {__version__}, PID {os.getpid()}")
        self._follower.follow()
        self._progress.done_before = self._progress.done
        if order.resumes:
            self._tell_resume()
        for change in order.changes:
            self.tell(f"Changed since the last session: {change}")

    async def _keep_following(self, gate_server: GateServer) -> None:
        while True:
            await asyncio.sleep(FOLLOW_EVERY_S)
            try:
                await asyncio.to_thread(self.follow)
            except (NarrativeRunsError, OSError) as error:
                gate_server.stop(reason_of(error))
                return
            self._tell_progress()

    def tell(self, text: str) -> None:
        """Show one line to the user, and keep it in the log."""
        say(text)
        if self._logs is not None:
            self._logs.event(text)

    def follow(self) -> None:
        """Bring what the journals have gained into the record and the logs."""
        if self._logs is None:
            return
        before = self._progress.done
        for entry, result in self._follower.follow():
            self._logs.entry(entry)
            for warning in self._watch.see(result) if result is not None else ():
                self.tell(f"[ERRORS] {warning}")
        if self._progress.done != before or time.monotonic() - self._told_at > TELL_EVERY_S:
            progress = self._progress
            state.move(self._order.experiment_id, progress.total, progress.done, progress.completed, self._eta())

    def _tell_progress(self) -> None:
        now = time.monotonic()
        done = self._progress.done
        if done - self._told_done >= TELL_EVERY or now - self._told_at >= TELL_EVERY_S:
            self._told_done, self._told_at = done, now
            say(line(self._progress, now, self._eta()))

    def _eta(self) -> str | None:
        left = self._progress.seconds_left()
        return None if left is None else (datetime.now() + timedelta(seconds=left)).strftime(TIME)

    def _tell_resume(self) -> None:
        progress = self._progress
        total = progress.total if progress.total is not None else progress.done
        share = 100 * progress.done / total if total else 100.0
        rule = "=" * 40
        lines = [
            rule,
            f"RESUMING EXPERIMENT: {self._params.experiment.name}",
            rule,
            f"Experiment ID: {self._order.experiment_id}",
            f"Original start: {self._order.began_at}",
            f"Completed: {progress.done} narratives",
            f"Remaining: {total - progress.done} narratives",
            f"Total: {total} narratives",
            f"Progress: {share:.1f}%",
            rule,
        ]
        for text in lines:
            say(text)
        if self._logs is not None:
            self._logs.resumed([f"RESUME ATTEMPT - {datetime.now().strftime(TIME)}", *lines])

    def stopped(self, reason: str) -> None:
        """Tell the main process that this run cannot succeed, so that it need not look for the reason."""
        _report({"stopped": reason})

    async def is_answered(self, server: Server) -> bool:
        """Whether the server answers a question that is no narrative."""
        client = Client(server, tls_for(server))
        nobody = Narrative(0, "", "", "No narrative.", None, None)
        try:
            await client.ask(Question(self._params).body(nobody, structured=False, logprobs=False))
        except RequestFailed:
            return False
        finally:
            await client.close()
        return True

    def trouble(self, kind: str, job: str, message: str) -> None:
        """Keep in the log that a request gave no answer."""
        if self._logs is not None:
            self._logs.trouble(kind, job, message)
        if kind == "without":
            part = {"schema": "JSON schemas; plain JSON is asked for", "logprobs": "token probabilities"}[message]
            self.tell(f"The server does not take or give {part}.")

    def _end(self, outcome: str, gate_server: GateServer) -> None:
        self._model_server.close()
        reason = gate_server.gate.stopped or "a job of the workflow failed; see the messages above"
        try:
            self.follow()
            if self._progress.remaining:
                reason = f"{reason.rstrip('.')}. {self._progress.remaining:,} narratives are left."
            if outcome == "failure" and self._logs is not None:
                state.stop(self._order.experiment_id, "cancelled" if gate_server.cancelled else "failed", reason)
                self._logs.stopped(reason)
        except (NarrativeRunsError, OSError) as error:
            say(f"The record could not be brought up to date: {error}")
        if outcome == "failure":
            say(f"The run stopped: {reason}")
        if self._logs is not None:
            self._logs.event(f"the session ends: {outcome}")


def _git_commit() -> str | None:
    """The commit of the checkout in which this runs, where there is one."""
    try:
        told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() if told.returncode == 0 else None


def say(text: str) -> None:
    """Show one line to the user."""
    print(text, file=sys.stderr, flush=True)


def _report(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
