"""Asks one question about the narratives of a sample, with the servers, limits, retries and budget of a run.

The answers belong to no experiment: see `answers`. Narratives answered before are not asked again, and an interrupted
try continues.
"""

import asyncio
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from narrative_runs import __version__, journal
from narrative_runs.asking.advice import UNSUPPORTED, of_another_name
from narrative_runs.asking.ask import Open
from narrative_runs.asking.inquiry import Inquiry
from narrative_runs.asking.permits import Stopped
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server
from narrative_runs.coordination.asker import Asker
from narrative_runs.coordination.host_share import HostShares
from narrative_runs.coordination.limiter import Limiter, Limits
from narrative_runs.coordination.model_server import ModelServer
from narrative_runs.coordination.permits import LocalPermits
from narrative_runs.coordination.supervision import Supervision
from narrative_runs.development.answers import Answers
from narrative_runs.errors import DevelopmentError
from narrative_runs.observation.progress import Interval, Progress, line
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.observation.terminal import Terminal
from narrative_runs.params import Params
from narrative_runs.record.state import TIME
from narrative_runs.run_lock import RunLock
from narrative_runs.signals import heard, stopped_by
from narrative_runs.source.shards import Narrative

_JOURNAL = "1-of-1"
_SHARD = 1
LOOK_EVERY_S = 1.0


def ask_sample(name: str, params: Params, narratives: Sequence[Narrative]) -> list[dict[str, Any]]:
    """The journal entry of each of these narratives, in their order; those without an answer are asked first.

    name: of the configuration, in messages; params: which model, prompts and codebook, which servers, and which limits.

    Raises:
        DevelopmentError: not all could be asked; says why, and that the same command continues.
        ServerError: no server can be reached, or none that may be asked.
        AlreadyRunning: another process asks the same question.
        JournalError: the answers cannot be read or kept.
    """
    question = Question(params)
    fingerprints = [question.fingerprint(narrative) for narrative in narratives]
    answers = Answers(question)
    if not all(map(answers.has_answer, fingerprints)):
        lock = RunLock(answers.path)
        terminal = Terminal()
        try:
            lock.acquire(terminal.say)
            journal.seal(answers.journals)
            session = _Session(name, params, question, lock, terminal)
            reason = asyncio.run(session.ask(narratives))
            journal.seal(answers.journals)
        finally:
            terminal.close()
            lock.release()
        answers = Answers(question)
        if reason:
            n = sum(map(answers.has_answer, fingerprints))
            raise DevelopmentError(
                f"{name}: {reason.rstrip('.')}. {n} of {len(narratives)} narratives are answered, and their answers "
                "are kept. To continue, start the same command again."
            )
    entries = [answers.entry(fingerprint) for fingerprint in fingerprints]
    assert all(entries)
    return [entry for entry in entries if entry is not None]


class _Session:
    """One session of asking."""

    def __init__(self, name: str, params: Params, question: Question, lock: RunLock, terminal: Terminal) -> None:
        self._name = name
        self._params = params
        self._question = question
        self._lock = lock
        self._terminal = terminal
        self._began_at = datetime.now().astimezone().isoformat(timespec="seconds")

    async def ask(self, narratives: Sequence[Narrative]) -> str:
        """Ask about those that have no answer; returns why some still have none, empty where all have one."""
        params, run = self._params, self._params.run
        answers = Answers(self._question)
        observer = _Observer(self._name, params, len(narratives), answers.model, self._terminal)
        before = _AnsweredNarratives(observer.progress)
        open_ones = []
        for number, narrative in enumerate(narratives, start=1):
            fingerprint = self._question.fingerprint(narrative)
            if answers.has_answer(fingerprint):
                before.add(narrative)
            else:
                open_ones.append(Open(narrative, (_SHARD, number), fingerprint))
        observer.progress.done_before = observer.progress.done
        before.has_new = False
        servers = params.model.base_urls or [params.model.name]
        limits = Limits(run.max_in_flight, run.requests_per_minute, run.budget_tokens, run.give_up_after_s)
        limiter = Limiter(limits, answers.spent_tokens, observer.progress.done, len(servers))
        inquiry = Inquiry(run.max_attempts, before.longest)
        permits = LocalPermits(limiter, inquiry, observer, params.model, _name_of, self._lock.why_lost, servers)
        loop = asyncio.get_running_loop()
        main_task = asyncio.current_task()
        assert main_task is not None

        def stop(reason: str) -> None:
            # Who presses Ctrl-C once more does not wait for what is in flight.
            if permits.stopped.done():
                main_task.cancel()
            permits.stop(reason)

        for number in heard():
            loop.add_signal_handler(number, stop, stopped_by(number))
        model_server = ModelServer(
            params, observer.tell, fatal=lambda reason: loop.call_soon_threadsafe(permits.stop, reason) and None
        )
        supervision = Supervision(permits.stop)
        try:
            # Opened before anything is written, so that a mistake leaves nothing behind.
            opened = await model_server.open()
            for server in model_server.away:
                limiter.servers[server].is_away(time.monotonic())

            async def open_servers() -> list[Server]:
                return opened

            session = journal.next_session(answers.journals)
            asker = Asker(
                self._question,
                permits,
                before,
                open_servers,
                lambda name: journal.new_file(answers.journals, session, name),
                lambda: self._head(session),
                supervision,
            )
            shares = HostShares(params, observer.tell)
            showing = supervision.start(self._keep_showing(observer, limiter, shares))
            asker.ask_for(_SHARD, _JOURNAL, lambda: iter(open_ones))
            try:
                with suppress(Stopped):
                    await asker.answered(_JOURNAL)
            finally:
                showing.cancel()
                await asker.close()
                shares.leave()
        except asyncio.CancelledError:
            return limiter.stopped or "stopped"
        finally:
            model_server.close()
        return limiter.stopped or ""

    async def _keep_showing(self, observer: "_Observer", limiter: Limiter, shares: HostShares) -> None:
        while True:
            shares.take(limiter)
            observer.progress.in_flight = limiter.in_flight.total()
            observer.show(limiter)
            await asyncio.sleep(LOOK_EVERY_S)

    def _head(self, session: int) -> dict[str, Any]:
        return {
            "params": self._params.model_dump(mode="json"),
            "session": session,
            "session_began_at": self._began_at,
            "host": platform.node(),
            "software_version": __version__,
        }


class _AnsweredNarratives:
    """The narratives of the sample that are answered, as evidence about one that fails.

    has_new: whether one was answered in this session.
    """

    def __init__(self, progress: Progress) -> None:
        self.has_new = False
        self._progress = progress
        self._answered: list[Narrative] = []

    @property
    def longest(self) -> int:
        """Characters of the longest of them, 0 where there is none."""
        return max((len(narrative.narrative_text) for narrative in self._answered), default=0)

    def add(self, narrative: Narrative) -> None:
        """Add one that was answered just now."""
        self.has_new = True
        self._answered.append(narrative)
        self._progress.done = len(self._answered)

    def other_than(self, narrative: Narrative, at_least: int) -> Narrative | None:
        """The latest other one of `at_least` so many characters; the longest, where none has as many."""
        others = [each for each in self._answered if each.row_num != narrative.row_num]
        long_enough = [each for each in others if len(each.narrative_text) >= at_least]
        if long_enough:
            return long_enough[-1]
        return max(others, key=lambda each: len(each.narrative_text), default=None)


class _Observer:
    """Reports the asking on the terminal, without any text of a narrative."""

    def __init__(self, name: str, params: Params, total: int, model: str, terminal: Terminal) -> None:
        now = time.monotonic()
        self.progress = Progress(began=now, total=total)
        self._name = name
        self._params = params
        self._model = model
        self._terminal = terminal
        self._interval = Interval(now)

    @property
    def model(self) -> str:
        """The model as the server named it in an earlier session; empty before."""
        return self._model

    def tell(self, text: str) -> None:
        """Show one line to the user."""
        self._terminal.say(f"{self._name}: {text}")

    def trouble(self, kind: str, job: str, message: str) -> None:
        """A request gave no answer: the limiter says so where it makes the user wait."""

    def evidence(self, job: str, outcome: str, requests: int) -> None:
        """Evidence requests were sent: the user need not know."""

    def unsupported(self, part: str) -> None:
        """Say what the server does not take or give."""
        self.tell(UNSUPPORTED[part])

    def answers_as(self, model: str) -> None:
        """Say so where the server answers by another name than the one that was asked for."""
        if text := of_another_name(self._params.model, model):
            self.tell(text)

    def stopped(self, reason: str) -> None:
        """No further request begins: the command's own message says why."""

    def show(self, limiter: Limiter) -> None:
        """Show the progress: on a terminal as the panel of a run, elsewhere as a line now and then."""
        now = time.monotonic()
        self.progress.note(now)
        status = self._status(now, limiter)
        if self._terminal.is_terminal:
            self._terminal.show(status)
        elif self._interval.is_due(now, self.progress.done):
            self.tell(line(status))

    def _status(self, now: float, limiter: Limiter) -> RunStatus:
        progress = self.progress
        seconds_left = progress.seconds_left(now)
        end = None if seconds_left is None else datetime.now() + timedelta(seconds=seconds_left)
        return RunStatus(
            self._name,
            progress.total,
            progress.done,
            rate_recent=progress.rate(),
            rate_session=progress.session_rate(),
            seconds_left=seconds_left,
            estimated_completion_time=None if end is None else end.strftime(TIME),
            elapsed_sec=now - progress.began,
            tokens_used=limiter.spent_tokens,
            in_flight=limiter.in_flight.total(),
            slots=limiter.slots,
            stopping=limiter.stopped or "",
        )


def _name_of(_: int) -> str:
    return _JOURNAL
