"""The coordinator: the process that asks for all shards of this host, started by the main process and gone with it.

Standard input: one JSON line, the run spec; then `stop <reason>` to let no further request begin, `failed <job>` when a
job of this host has failed, `quit` to wait for no request either, `pause` before the main process writes to the
terminal, and `end <success or failure>` at the run's end.
When it ends without that word, the main process is gone: nothing new is asked, what is in flight is kept, and then this
process is gone too.
Standard output: one JSON line, `{"address": path, "jobs": path}` or `{"error": message}`; then `{"stopped": reason}`
when the run has to stop, `{"job_failed": reason}` before it where a job says so, `{"notice": event, "message": line}`
to have the user's own command run (`run.notify`), and `{"paused": true}` when the terminal is free. After
`{"taken_over": reason}` another run has the experiment, and both processes end as they are.
"""

import asyncio
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path

from narrative_runs import __version__, journal
from narrative_runs.asking.ask import Open
from narrative_runs.asking.inquiry import Inquiry
from narrative_runs.asking.permits import Stopped
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server, key_from_environment
from narrative_runs.coordination.answered_before import AnsweredBefore
from narrative_runs.coordination.asker import REQUESTS_MAY_TAKE_S, Asker
from narrative_runs.coordination.connection_file import NAME, ConnectionFile, new_token, own_certificate, own_hosts
from narrative_runs.coordination.error_rows import narratives_with_errors
from narrative_runs.coordination.host_share import HostShares
from narrative_runs.coordination.job_messages import take
from narrative_runs.coordination.jobs_process import JobsProcess
from narrative_runs.coordination.limiter import Limiter, Limits
from narrative_runs.coordination.messages import Message
from narrative_runs.coordination.model_server import ModelServer
from narrative_runs.coordination.parent_channel import ParentChannel
from narrative_runs.coordination.permits import LocalPermits
from narrative_runs.coordination.remote_permits import evidence_of, failure_of
from narrative_runs.coordination.run_snapshots import RunSnapshots
from narrative_runs.coordination.server import LEASE_S, Job, RunServer
from narrative_runs.coordination.supervision import Supervision, unexpected
from narrative_runs.errors import AlreadyRunning, JournalError, ServerError
from narrative_runs.observation.notice import notice_of_end
from narrative_runs.observation.notifier import MAY_TAKE_S, Notifier
from narrative_runs.observation.run_monitor import RunMonitor, report
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder, shard_name
from narrative_runs.record import state
from narrative_runs.run_context import RunContext
from narrative_runs.run_lock import REFRESH_EVERY_S, HeldLock, hold_as_child
from narrative_runs.run_spec import RunSpec
from narrative_runs.source.shards import iterate

FOLLOW_EVERY_S = 1.0
SHOW_EVERY_S = 1.0
JOBS_MAY_END_S = 5.0
# A job that fails says why, but perhaps a moment later than Snakemake sees that it has ended.
JOB_MAY_SAY_WHY_S = 1.0
LOOK_EVERY_S = 0.1
# The port at which other hosts connect, where a firewall lets only some through; any that is free, without it.
PORT_VARIABLE = "NARRATIVE_RUNS_PORT"
# The clock of the event loop may stand still while the machine sleeps: that it woke is to be seen soon.
LOOK_AT_LOCK_EVERY_S = 1.0
MAIN_MAY_END_S = 5.0
AT_ONCE = "quit"
TAKEN_OVER = "taken over"
ORPHANED = "the main process was killed"
JOB_FAILED = "a job of the workflow failed; see the messages above"


def serve(channel: ParentChannel, address: Path, jobs: JobsProcess) -> None:
    """Coordinate one session of a run, as its main process specifies it; address: the socket where to listen."""
    # The thread that follows the journals must not keep answers waiting.
    sys.setswitchinterval(0.0005)

    async def run() -> None:
        await Coordinator(RunSpec(**json.loads(channel.spec)), channel, jobs).run(address)

    asyncio.run(run())


class Coordinator:
    """One session of a run."""

    def __init__(self, spec: RunSpec, channel: ParentChannel, jobs: JobsProcess) -> None:
        self._spec = spec
        self._channel = channel
        self._jobs_process = jobs
        self._permits: LocalPermits | None = None
        self._lock = HeldLock(ExperimentFolder(spec.slug).path, spec.lock_token)
        self._connection_file: Path | None = None
        self._written: set[str] = set()
        self._said_by_jobs: set[str] = set()
        self._params = check(spec.params, "the run's params")
        self._monitor = RunMonitor(spec, self._params)
        loop = asyncio.get_running_loop()
        self._model_server = ModelServer(
            self._params,
            self._monitor.terminal.say,
            log_file=self._folder.logs / f"model_server-{platform.node()}.log",
            fatal=lambda reason: loop.call_soon_threadsafe(self._stop, reason) and None,
        )
        self._host_shares = HostShares(self._params, self._monitor.tell)
        self._supervision = Supervision(self._stop)
        self._outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._is_cancelled = False
        self._snapshots = RunSnapshots(spec, self._monitor, self._begin_next_session)

    async def run(self, address: Path) -> None:
        """Ask, and serve the jobs at a socket, until the main process says that the run has ended, or is gone."""
        hold_as_child(self._folder.path)
        threading.Thread(target=self._obey, args=(asyncio.get_running_loop(),), daemon=True).start()
        try:
            await self._begin()
            await self._server.listen(address)
            if self._spec.asks_elsewhere:
                self._connection_file = await self._listen_for_hosts(address.parent)
        except Exception as error:
            report({"error": unexpected(error)})
            await asyncio.to_thread(self._close)
            return
        self._channel.ends_alone = partial(self._end_alone, asyncio.get_running_loop())
        elsewhere = str(self._connection_file or "")
        report({"address": str(address), "jobs": self._jobs_process.address, "elsewhere": elsewhere})
        await self._until_the_end()

    async def _listen_for_hosts(self, private: Path) -> Path:
        """Serve other hosts too; returns the file by which they find this one."""
        port = os.environ.get(PORT_VARIABLE, "0")
        if not port.isdigit():
            raise ServerError(f"{PORT_VARIABLE} is {port!r}, which is not a port number.")
        token, (certificate, serving) = new_token(), own_certificate(private)
        try:
            number = await self._server.listen_for_hosts(int(port), token, serving)
        except OSError as error:
            raise ServerError(f"{PORT_VARIABLE}: port {port} cannot be used ({error.strerror}).") from None
        return ConnectionFile(own_hosts(), number, token, certificate).write(self._folder.path.absolute())

    async def _until_the_end(self) -> None:
        assert self._permits is not None
        tasks = [
            self._supervision.start(self._keep_lock()),
            self._supervision.start(self._keep_following()),
            self._supervision.start(self._snapshots.keep_regularly(self._params.run)),
        ]
        if self._monitor.terminal.is_terminal:
            tasks.append(self._supervision.start(self._keep_showing()))
        if not self._spec.reads_workbook:
            self._supervision.start(self._ask())
        self._finished = self._supervision.start(self._finish_asking())
        outcome = await self._outcome
        if outcome not in (AT_ONCE, TAKEN_OVER):
            await self._snapshots.close()
        for task in tasks:
            task.cancel()
        if outcome == TAKEN_OVER:
            await self._leave_first(self._lock.why_lost())
        if outcome == "failure":
            self._stop(JOB_FAILED)
            await asyncio.wait({self._finished})
        else:
            self._finished.cancel()
            # What fails there is the supervision's to tell, and stops nothing any more.
            at_once = outcome in (AT_ONCE, TAKEN_OVER)
            await asyncio.wait({self._supervision.start(self._asker.close(at_once))})
        await self._server.close()
        await asyncio.to_thread(self._close)
        if reason := self._lock.why_lost():
            if outcome != TAKEN_OVER:
                self._monitor.leave(reason)
            return
        await asyncio.to_thread(
            self._monitor.close,
            "success" if outcome == "success" else "failure",
            self._why_ended(),
            self._is_cancelled,
        )
        if outcome != AT_ONCE and not self._lock.why_lost():
            # All jobs have ended with the run. On a full disk the next session seals it.
            with suppress(JournalError):
                journal.seal(self._folder.journals)
        if self._lock.is_orphan and not self._lock.why_lost():
            await asyncio.to_thread(self._notify_alone)

    def _notify_alone(self) -> None:
        """Have the user's own command run, as the main process is not there to do it."""
        if not self._spec.recorded:
            notifier = Notifier(self._params.run.notify, self._folder, self._monitor.terminal.say)
            notifier.send(notice_of_end(self._spec.experiment_id, False, ORPHANED))
            notifier.close(MAY_TAKE_S)

    def _close(self) -> None:
        """End the processes that this one started, and leave no way to it."""
        if self._connection_file is not None and not self._lock.why_lost():
            self._connection_file.unlink(missing_ok=True)
        self._model_server.close()
        self._jobs_process.close()

    async def _leave_first(self, reason: str) -> None:
        """Have the main process end before the jobs do: after a failed job, Snakemake would remove what that has to
        write, and what another run has perhaps written by now."""
        self._monitor.leave(reason)
        loop, is_gone = asyncio.get_running_loop(), asyncio.Event()

        def hear_it_end() -> float:
            loop.call_soon_threadsafe(is_gone.set)
            return JOBS_MAY_END_S

        self._channel.ends_alone = hear_it_end
        report({"taken_over": reason})
        self._stop(reason)
        with suppress(TimeoutError):
            await asyncio.wait_for(is_gone.wait(), MAIN_MAY_END_S)

    def _end_alone(self, loop: asyncio.AbstractEventLoop) -> float:
        """The main process was killed: nothing new is asked, what is in flight is kept, and the user's own command is
        run; how many seconds that may take."""
        loop.call_soon_threadsafe(lambda: self._supervision.start(self._finish_what_is_in_flight()))
        return REQUESTS_MAY_TAKE_S + JOBS_MAY_END_S + (MAY_TAKE_S if self._params.run.notify else 0.0)

    async def _finish_what_is_in_flight(self) -> None:
        self._lock.is_orphan = True
        self._stop(ORPHANED)
        await asyncio.wait({self._finished})
        self._end("failure")

    async def _finish_asking(self) -> None:
        """Once the run is stopped: keep what is in flight. The jobs that wait are told only then."""
        assert self._permits is not None
        await asyncio.wait({self._permits.stopped})
        self._server.tell_all(Message("stop", self._permits.stopped.result()))
        await self._asker.close()
        await self._jobs_elsewhere_end()

    async def _jobs_elsewhere_end(self) -> None:
        """Wait until the jobs on other hosts have kept what they had in flight."""
        began = time.monotonic()
        while self._server.jobs_elsewhere and time.monotonic() - began < REQUESTS_MAY_TAKE_S:
            await asyncio.sleep(LOOK_EVERY_S)

    def _why_ended(self) -> str | None:
        """Why the run ended before all was answered, where that is known."""
        assert self._permits is not None
        reason = self._permits.limiter.stopped
        return self._permits.why_left_open if reason in (None, JOB_FAILED) else reason

    def _stop(self, reason: str) -> None:
        """Let no further request begin; the run ends, and says why."""
        if self._permits is not None:
            self._permits.stop(reason)

    def _obey(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._take_orders(loop)
        except Exception as error:
            loop.call_soon_threadsafe(self._stop, unexpected(error))

    def _take_orders(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in self._channel.lines():
            word, _, rest = line.partition(" ")
            if word == "end":
                loop.call_soon_threadsafe(self._end, rest)
            elif word == AT_ONCE:
                # The jobs end with this process, to which they are connected.
                loop.call_soon_threadsafe(self._end, AT_ONCE)
            elif word == "failed":
                loop.call_soon_threadsafe(loop.call_later, JOB_MAY_SAY_WHY_S, self._stop, gone_job(rest))
            elif word == "stop":
                loop.call_soon_threadsafe(self._stop, rest)
            elif word == "pause":
                self._monitor.terminal.pause()
                report({"paused": True})

    def _end(self, outcome: str) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def _begin(self) -> None:
        spec, params = self._spec, self._params
        opened: list[Server] | None = None
        self._api_key = "" if params.model.starts_server else key_from_environment()
        # Servers that jobs on other hosts start are there with the jobs.
        is_asked_there = spec.asks_elsewhere and params.model.starts_server
        if not spec.resumes and not is_asked_there:
            # Before anything is written: can the model be asked at all?
            opened = await self._model_server.open()
        self._must_hold_lock()
        await self._jobs_of_killed_run_end()
        torn = journal.seal(self._folder.journals)
        self._context = RunContext(
            slug=spec.slug,
            experiment_id=spec.experiment_id,
            source_md5=spec.source_md5,
            reading_rules=spec.reading_rules,
            params=params,
            session=journal.next_session(self._folder.journals),
            retry_errors=spec.retry_errors,
            retry_categories=tuple(spec.retry_categories),
            began_at=spec.began_at,
            session_began_at=datetime.now().astimezone().isoformat(timespec="seconds"),
            host=platform.node(),
            git_commit=_git_commit(),
            software_version=__version__,
            seen_before=tuple(spec.seen_before),
        )
        if spec.resumes:
            state.back_up_before_resume()
        self._snapshots.look_before()
        if self._folder.data_quality.exists():
            self._monitor.begin_writing()
        self._snapshots.keep_state_before()
        if torn:
            self._monitor.tell(
                f"Incomplete last lines, which were removed from the journals and are asked again: {torn}."
            )
        run, progress = params.run, self._monitor.progress
        limiter = Limiter(
            Limits(run.max_in_flight, run.requests_per_minute, run.budget_tokens, run.give_up_after_s),
            spent_tokens=progress.tokens,
            # What was asked for elsewhere is no sign that this server takes our requests.
            answers=progress.completed - progress.adopted,
            servers=len(params.model.base_urls) or (not is_asked_there),
        )
        self._host_shares.take(limiter)

        async def open_servers() -> list[Server]:
            servers = opened or await self._model_server.open()
            for server in self._model_server.away:
                limiter.servers[server].is_away(time.monotonic())
            return servers

        self._build(limiter, open_servers)

    async def _jobs_of_killed_run_end(self) -> None:
        """Wait for the jobs on other hosts of a run that was killed: they may still keep what they had in flight."""
        left = self._folder.path / NAME
        if left.exists():
            self._monitor.tell(
                f"Waiting {LEASE_S:.0f} s for jobs on other hosts that belong to an earlier, killed run: their "
                "requests may still finish."
            )
            await asyncio.sleep(LEASE_S)
            self._must_hold_lock()
            left.unlink(missing_ok=True)

    def _build(self, limiter: Limiter, open_servers: Callable[[], Awaitable[list[Server]]]) -> None:
        params, monitor = self._params, self._monitor
        self._question = Question(params)
        inquiry = Inquiry(params.run.max_attempts, monitor.longest_answered)
        servers = params.model.base_urls or [params.model.name][: len(limiter.servers)]
        self._permits = LocalPermits(limiter, inquiry, monitor, params.model, self._name_of, self._why_lost, servers)
        self._asker = Asker(
            self._question,
            self._permits,
            AnsweredBefore(self._folder, params, self._question),
            open_servers,
            lambda name: journal.new_file(self._folder.journals, self._context.session, name),
            lambda: self._context.head,
            self._supervision,
        )
        self._server = RunServer(
            self._context,
            self._api_key,
            self.status,
            self._take,
            self._lose,
            self._cancel,
            self._snapshots.keep,
            self._is_wanted,
            self._supervision,
        )

    async def _begin_next_session(self) -> int:
        """Have all that is answered from now on kept in the journals of another session; returns its number."""
        began_at = datetime.now().astimezone().isoformat(timespec="seconds")
        self._context = replace(self._context, session=self._context.session + 1, session_began_at=began_at)
        await self._asker.leave_journals()
        await self._server.begin_session(self._context)
        return self._context.session

    def status(self) -> RunStatus:
        """How the run stands now."""
        assert self._permits is not None
        limiter = self._permits.limiter
        waits = max(0.0, limiter.paused_until - time.monotonic())
        return replace(
            self._monitor.status(),
            in_flight=limiter.in_flight.total(),
            slots=limiter.slots,
            jobs=self._server.jobs,
            waiting=self._permits.problem if waits else "",
            waiting_sec=waits,
            stopping=limiter.stopped or "",
            servers=self._permits.server_status(time.monotonic()),
        )

    async def _ask(self) -> None:
        """Ask for all shards whose jobs are planned, once the narratives lie in them."""
        # What the journals hold is known before anything is asked.
        await asyncio.to_thread(self._monitor.follow)
        for name in () if self._spec.asks_elsewhere else self._spec.shards:
            self._ask_for(name)

    def _ask_for(self, name: str) -> None:
        number = self._number_of(name)
        is_retry = name == journal.RETRY
        self._asker.ask_for(number, name, self._error_rows if is_retry else partial(self._open_ones, number))

    def _open_ones(self, shard: int) -> Iterator[Open]:
        """The narratives of a shard that have no answer yet, read as they are taken."""
        numbers, run = count(1), self._params.run
        path = self._folder.narratives_of(shard, self._params.shards.count)
        for narrative in iterate(path, run.max_narratives):
            fingerprint = self._question.fingerprint(narrative)
            if not self._monitor.is_answered(fingerprint):
                yield Open(narrative, (shard, next(numbers)), fingerprint)

    def _error_rows(self) -> Iterator[Open]:
        """The narratives whose result in the record is an error, and that were not asked again since."""
        self._monitor.bring_up_to_date()
        rows = narratives_with_errors(self._context, self._question, self._number_of(journal.RETRY))
        self._monitor.tell(f"Asking again about {len(rows)} narratives with an error.")
        yield from rows

    def _number_of(self, name: str) -> int:
        return self._params.shards.count + 1 if name == journal.RETRY else int(name.split("-")[0])

    def _name_of(self, number: int) -> str:
        count = self._params.shards.count
        return journal.RETRY if number > count else shard_name(number, count)

    async def _take(self, job: Job, message: Message) -> None:
        """Take one message of a job."""
        if self._why_lost():
            return
        match message.kind:
            case "source_ready":
                await asyncio.to_thread(self._monitor.begin_writing)
                job.post(Message("begun"))
            case "written":
                await self._ask()
            case "wait":
                await self._wait_for(job)
            case "show":
                self._tell_of(job, message.text)
            case "fatal":
                if self._permits is not None and not self._permits.stopped.done():
                    # Of a run that has stopped, a job only repeats why.
                    report({"job_failed": message.text})
                self._stop(message.text)
            case "results_written":
                self._written.add(job.name)
                if self._permits is not None:
                    self._permits.own_server_ends(self._number_of(job.name))
            case "failed_job":
                self._tell_once(f"[JOB] {job.title}: {message.text}", message.text.replace(job.host, ""))
            case _:
                await self._grant(job, message)

    async def _grant(self, job: Job, message: Message) -> None:
        """Take what a job on another host says of its asking."""
        permits, key, values = self._permits, message.key, message.values
        assert permits is not None and key is not None
        # A run that is stopped has told all jobs so.
        with suppress(Stopped):
            match message.kind:
                case "acquire":
                    if self._params.model.starts_server:
                        permits.has_own_server(key[0], f"the server of {job.title}")
                    step, server = await permits.acquire(key)
                    said = {"model": permits.model_answered, "unsupported": sorted(permits.unsupported)}
                    job.post(Message("granted", step, key, {"server": server, **said}))
                case "report_answered":
                    await permits.answered(key, values["characters"], values["tokens"], values["model"])
                    if values["is_new"]:
                        job.post(Message("accepted", permits.model_answered, key))
                case "report_failed":
                    permits.failed(key, values["characters"], failure_of(values["failure"]))
                case "report_evidence":
                    permits.evidence(key, evidence_of(values))
                case "release":
                    permits.release(key)

    async def _wait_for(self, job: Job) -> None:
        """Tell a job when its shard is answered, or, when what is in flight is kept, that it will not be."""
        name = journal.RETRY if job.name == "retry_errors" else job.name
        if name == journal.RETRY:
            # Which rows are errors is known when all shards are answered.
            self._ask_for(name)
        else:
            # Asked already, unless this job came while what the journals hold was still read.
            await self._ask()
        try:
            await self._asker.answered(name)
        except Stopped as stopped:
            await asyncio.wait({self._finished})
            if not self._why_lost():
                job.post(Message("stop", str(stopped)))
        else:
            job.post(Message("answered"))

    def _tell_of(self, job: Job, text: str) -> None:
        if job.host:
            self._tell_once(f"{text} ({job.host})", text)
        else:
            self._monitor.tell(text)

    def _tell_once(self, line: str, text: str) -> None:
        """Show a line to the user, unless a job of another shard said the same before."""
        if text not in self._said_by_jobs:
            self._said_by_jobs.add(text)
            self._monitor.tell(line)

    def _lose(self, job: Job) -> None:
        """A job that did not say goodbye was killed, and its run cannot succeed; but for one on another host, which may
        be tried again elsewhere."""
        if not job.host:
            self._stop(gone_job(job.name))
        elif self._permits is not None:
            self._permits.lost(self._number_of(job.name))
            self._monitor.tell(
                f"[JOB] {job.title} has disappeared: was the job killed, or did its host go down? "
                "Its shard is tried again."
            )

    def _is_wanted(self, shard: str) -> bool:
        # Snakemake removes the file of a job whose host died before it was seen to end, and has it made again.
        path = self._folder.shards / f"{shard}.parquet"
        return shard in self._spec.shards and not (shard in self._written and path.exists())

    def _cancel(self) -> None:
        self._is_cancelled = True
        self._stop(state.CANCELLED)

    def _why_lost(self) -> str:
        """Why this run may neither ask nor write any more, empty while it may; where it may not, it ends."""
        if reason := self._lock.why_lost():
            self._end(TAKEN_OVER)
        return reason

    def _must_hold_lock(self) -> None:
        """See that nothing is begun that another run has begun meanwhile.

        Raises:
            AlreadyRunning: it was taken over.
        """
        if reason := self._lock.why_lost():
            raise AlreadyRunning(f"{reason}. Nothing was asked.")

    async def _keep_lock(self) -> None:
        """Give signs of life."""
        while not self._why_lost():
            await asyncio.to_thread(self._lock.why_lost, REFRESH_EVERY_S)
            await asyncio.sleep(LOOK_AT_LOCK_EVERY_S)

    async def _keep_following(self) -> None:
        assert self._permits is not None
        limiter = self._permits.limiter
        while True:
            await asyncio.sleep(FOLLOW_EVERY_S)
            if self._why_lost():
                return
            self._host_shares.take(limiter)
            for text in take(self._folder.path) if self._spec.asks_elsewhere else ():
                self._tell_once(f"[JOB] {text}", text.partition(": ")[2].replace(text.partition(": ")[0], ""))
            self._monitor.progress.in_flight = limiter.in_flight.total()
            await asyncio.to_thread(self._monitor.follow)

    async def _keep_showing(self) -> None:
        while True:
            await asyncio.sleep(SHOW_EVERY_S)
            status = self.status()
            if status.n_narratives_total is not None:
                await asyncio.to_thread(self._monitor.terminal.show, status)

    @property
    def _folder(self) -> ExperimentFolder:
        return ExperimentFolder(self._spec.slug)


def gone_job(name: str) -> str:
    """The reason of a run whose job has ended without a word."""
    return f"the job {name} ended unexpectedly: was it killed, or did the machine run out of memory?"


def _git_commit() -> str | None:
    """The commit of the checkout in which this runs, where there is one."""
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
