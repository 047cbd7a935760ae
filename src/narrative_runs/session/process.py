"""The session's process: started by the main process, and gone with it.

Standard input: one JSON line, the order; then `stop <reason>` to let no further request begin, `quit` to wait for none
either, `hush` before the main process writes to the terminal, and `end <success or failure>` at the run's end. When it
ends without that word, the main process is gone, and so is this one.
Standard output: one JSON line, `{"socket": path}` or `{"error": message}`; then `{"stopped": reason}` when the run has
to stop, and `{"hushed": true}` when the terminal is free.
"""

import asyncio
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from narrative_runs import __version__, journal
from narrative_runs.asking.inquiry import Inquiry
from narrative_runs.asking.server import Server
from narrative_runs.errors import JournalError
from narrative_runs.params import Params, check
from narrative_runs.places import ExperimentFolder
from narrative_runs.record import state
from narrative_runs.session.account import Account, report
from narrative_runs.session.ear import Ear
from narrative_runs.session.gate import Gate, Limits
from narrative_runs.session.gate_server import GateServer
from narrative_runs.session.lock import hold_as_child
from narrative_runs.session.model_server import ModelServer
from narrative_runs.session.neighbours import Neighbours
from narrative_runs.session.order import Order
from narrative_runs.session.supervision import Supervision, unexpected
from narrative_runs.session.tether import REQUESTS_MAY_TAKE_S
from narrative_runs.whole_files import temporary_folder

FOLLOW_EVERY_S = 1.0
JOBS_MAY_END_S = 5.0
ORPHANED = "the main process was killed"
LONGEST_FOLDER = 60
AT_ONCE = "quit"
SHOW_EVERY_S = 1.0


def serve(ear: Ear) -> None:
    """Run one session, as its main process orders."""
    # The thread that follows the journals must not keep waiting jobs from being told to go.
    sys.setswitchinterval(0.0005)

    async def run() -> None:
        await Session(Order(**json.loads(ear.order)), ear).run()

    asyncio.run(run())


class Session:
    """One sitting of a run."""

    def __init__(self, order: Order, ear: Ear) -> None:
        self._order = order
        self._ear = ear
        self._folder = ExperimentFolder(order.slug)
        self._params: Params = check(order.params, "the session's params")
        self._account = Account(order, self._params)
        self._model_server = ModelServer(self._params, self._account.screen.say)
        self._neighbours: Neighbours | None = None
        self._gate_server: GateServer | None = None
        self._supervision = Supervision(self._fail)
        self._outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the jobs until the main process says that the run has ended, or is gone."""
        hold_as_child(self._folder.path)
        # The path of a socket may have 104 bytes on some systems.
        usual = tempfile.gettempdir()
        short = usual if len(usual) < LONGEST_FOLDER else "/tmp"
        with temporary_folder("narrative-runs-", Path(short)) as private:
            self._ear.at_once = lambda: shutil.rmtree(private, ignore_errors=True)
            threading.Thread(target=self._obey, args=(asyncio.get_running_loop(),), daemon=True).start()
            socket = private / "session"
            try:
                gate_server = await self._begin()
                server = await gate_server.listen(socket)
            except Exception as error:
                report({"error": unexpected(error)})
                self._model_server.close()
                return
            self._gate_server = gate_server
            self._ear.ends_alone = partial(self._end_alone, asyncio.get_running_loop())
            report({"socket": str(socket)})
            tasks = [self._supervision.start(self._keep_following(gate_server))]
            if self._account.screen.is_terminal:
                tasks.append(self._supervision.start(self._keep_showing(gate_server)))
            outcome = await self._outcome
            for task in tasks:
                task.cancel()
            server.close()
            self._model_server.close()
            await asyncio.to_thread(
                self._account.close,
                "success" if outcome == "success" else "failure",
                gate_server.gate.stopped or gate_server.why_left_open,
                gate_server.cancelled,
            )
            if outcome != AT_ONCE:
                # All jobs have ended with the run. On a full disk the next session seals it.
                with suppress(JournalError):
                    journal.seal(self._folder.journals)

    def _end_alone(self, loop: asyncio.AbstractEventLoop) -> float:
        """The main process was killed: nothing new is asked, and what is in flight is kept; how many seconds that may
        take."""
        loop.call_soon_threadsafe(lambda: self._supervision.start(self._finish_what_is_in_flight()))
        return REQUESTS_MAY_TAKE_S + JOBS_MAY_END_S

    async def _finish_what_is_in_flight(self) -> None:
        assert self._gate_server is not None
        self._gate_server.stop(ORPHANED)
        while self._gate_server.jobs:
            await asyncio.sleep(0.05)
        self._end("failure")

    def _fail(self, reason: str) -> None:
        """Something failed that nobody waits for: the run ends, and says why."""
        if self._gate_server is not None:
            self._gate_server.stop(reason)

    def _obey(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._take_orders(loop)
        except Exception as error:
            loop.call_soon_threadsafe(self._fail, unexpected(error))

    def _take_orders(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in self._ear.lines():
            word, _, rest = line.partition(" ")
            if word == "end":
                loop.call_soon_threadsafe(self._end, rest)
            elif word == AT_ONCE:
                # The jobs end with this process, whose socket they hold.
                loop.call_soon_threadsafe(self._end, AT_ONCE)
            elif word == "stop" and self._gate_server is not None:
                loop.call_soon_threadsafe(self._gate_server.stop, rest)
            elif word == "hush":
                self._account.screen.hush()
                report({"hushed": True})

    def _end(self, outcome: str) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def _begin(self) -> GateServer:
        order, params = self._order, self._params
        opened: Server | None = None
        if not order.resumes:
            # Before anything is written: can the model be asked at all?
            opened = await self._model_server.open()
        torn = journal.seal(self._folder.journals)
        session = journal.next_session(self._folder.journals)
        if order.resumes:
            state.back_up_before_resume()
        if self._folder.data_quality.exists():
            self._account.begin_writing()
        if torn:
            self._account.tell(f"Torn last lines, cut off the journals and asked again: {torn}.")
        gate = Gate(
            Limits(
                params.run.max_in_flight,
                params.run.requests_per_minute,
                params.run.budget_tokens,
                params.run.give_up_after_s,
            ),
            spent_tokens=self._account.progress.tokens,
            # What was asked for elsewhere is no sign that this server takes our requests.
            answered=self._account.progress.completed - self._account.progress.adopted,
        )
        self._share_with_neighbours(gate, is_first=not params.model.embedded)
        settings = {
            "slug": order.slug,
            "params": order.params,
            "session": session,
            "model": self._account.model,
            "retry_errors": order.retry_errors,
            "retry_categories": order.retry_categories,
            "head": {
                "experiment_id": order.experiment_id,
                "slug": order.slug,
                "source_md5": order.source_md5,
                "reading_rules": order.reading_rules,
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

        inquiry = Inquiry(params.run.max_attempts, self._account.longest_answered)
        return GateServer(gate, inquiry, settings, open_server, self._account, self._supervision)

    def _share_with_neighbours(self, gate: Gate, is_first: bool = False) -> None:
        """Take this run's part of the slots; where other runs cannot be seen, that is told, once."""
        try:
            if is_first:
                self._neighbours = Neighbours(self._params.model.base_url)
            if self._neighbours is not None:
                gate.slots = self._neighbours.share(self._params.run.max_in_flight)
        except OSError as error:
            self._neighbours = None
            self._account.tell(
                f"Other runs that ask the same server are not counted: {error.filename} cannot be used "
                f"({error.strerror})."
            )

    async def _keep_following(self, gate_server: GateServer) -> None:
        while True:
            await asyncio.sleep(FOLLOW_EVERY_S)
            self._share_with_neighbours(gate_server.gate)
            self._account.progress.in_flight = gate_server.gate.in_flight.total()
            await asyncio.to_thread(self._account.follow)

    async def _keep_showing(self, gate_server: GateServer) -> None:
        while True:
            await asyncio.sleep(SHOW_EVERY_S)
            standing = gate_server.standing()
            if standing.n_narratives_total is not None:
                await asyncio.to_thread(self._account.screen.show, standing)


def _git_commit() -> str | None:
    """The commit of the checkout in which this runs, where there is one."""
    try:
        told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() if told.returncode == 0 else None
