"""What a session gives account of: in the record, in the logs and on the screen."""

import json
import os
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from narrative_runs import __version__
from narrative_runs.asking.advice import WITHOUT
from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.experiment import Begun, describe
from narrative_runs.params import Params
from narrative_runs.places import ExperimentFolder
from narrative_runs.record import state
from narrative_runs.record.state import TIME
from narrative_runs.session.answer_watch import AnswerWatch
from narrative_runs.session.cost import cost_of, cost_of_all
from narrative_runs.session.error_watch import ErrorWatch
from narrative_runs.session.follower import Follower
from narrative_runs.session.logs import Logs
from narrative_runs.session.order import Order
from narrative_runs.session.progress import Beat, Progress, line, percent_done
from narrative_runs.session.record_keeper import RecordKeeper
from narrative_runs.session.screen import Screen
from narrative_runs.session.standing import Standing
from narrative_runs.signals import STOPPED_BY


class Account:
    """The one writer of an experiment's record, logs and screen while it runs.

    progress: how far it is; screen: the terminal.
    """

    def __init__(self, order: Order, params: Params) -> None:
        self.progress = Progress(began=time.monotonic())
        self.screen = Screen(copy_to=order.copy_to)
        self._order = order
        self._params = params
        self._folder = ExperimentFolder(order.slug)
        self._follower = Follower(
            self._folder, order.experiment_id, params, self.progress, is_new_release=bool(order.earlier_release)
        )
        self._following = threading.Lock()
        self._watch = ErrorWatch()
        self._answer_watch = AnswerWatch(params)
        self._without: set[str] = set()
        self._beat: Beat | None = None
        self._keeper = RecordKeeper(order.experiment_id, self._follower.unrecorded, self.tell)
        self._logs: Logs | None = None

    @property
    def model(self) -> str:
        """The model as the server named it in the first answer; empty before."""
        return self._follower.model

    @property
    def longest_answered(self) -> int:
        """Characters of the longest narrative that was answered."""
        return self._follower.longest_answered

    def begin_writing(self) -> None:
        """Bring the experiment into its folder and the record; until the workbook has proved sound, nothing is."""
        if self._logs is not None:
            # A new release reads the workbook once more of an experiment that has begun.
            return
        order = self._order
        describe(
            self._folder,
            Begun(
                order.experiment_id,
                order.source_md5,
                order.params,
                order.resumes,
                order.began_at,
                order.reading_rules,
            ),
        )
        if not order.recorded:
            state.begin(order.experiment_id, order.began_at, self._folder, self._params)
        with self._following:
            self._logs = Logs(self._folder.logs)
            self._logs.event(f"a session begins, version {__version__}, PID {os.getpid()}")
            self._follower.follow()
        if order.resumes and not order.recorded:
            self._tell_resume()
            self._tell_new_release()
        for change in order.changes:
            self.tell(f"Changed since the last session: {change}")

    def tell(self, text: str) -> None:
        """Show one line to the user, and keep it in the log."""
        self.screen.say(text)
        if self._logs is not None:
            self._logs.event(text)

    def trouble(self, kind: str, job: str, message: str) -> None:
        """Keep in the log that a request gave no answer."""
        if self._logs is not None:
            self._logs.trouble(kind, job, message)

    def evidence(self, job: str, outcome: str, requests: int) -> None:
        """Keep in the log that evidence requests were sent, and what came of them."""
        if self._logs is not None:
            self._logs.evidence(job, outcome, requests)

    def without(self, part: str) -> None:
        """Say what the server does not take or give: `schema` or `logprobs`."""
        self._without.add(part)
        self.tell(WITHOUT[part])

    def answers_as(self, model: str) -> None:
        """Say so where the server answers by another name than the one that was asked for."""
        asked = self._params.model
        same = {asked.name.lower(), f"{asked.name.lower()}:latest", *(name.lower() for name in asked.answers_as)}
        if not asked.embedded and model.lower() not in same:
            self.tell(
                f"[MODEL] The server answers as {model}, and {asked.name} was asked for. If that is another model, "
                "stop the run and correct model.name; else put it under model.answers_as, so that others stop a run."
            )

    def stopped(self, reason: str) -> None:
        """Tell the main process that this run cannot succeed, so that it need not look for the reason."""
        report({"stopped": reason})

    def follow(self) -> None:
        """Bring what the journals have gained into the logs, and, as often as is due, into the record and the screen.

        Raises:
            RecordError: the record cannot be written.
        """
        with self._following:
            if self._look():
                now = time.monotonic()
                self._keeper.move_if_due(self.standing(), now)
                self._tell_progress_if_due(now)

    def bring_up_to_date(self) -> None:
        """Bring all that the journals hold into the record, however long other programs keep it.

        Raises:
            RecordError: the record cannot be written.
        """
        with self._following:
            if self._look():
                self._keeper.move(self.standing(), time.monotonic())

    def _look(self) -> bool:
        """Read on in the journals; returns whether the experiment has begun and its narratives are known."""
        if self._logs is None:
            return False
        for entry, result in self._follower.follow():
            self._logs.entry(entry, result)
            for warning in self._watch.see(result) if result is not None else ():
                self.tell(f"[ERRORS] {warning}")
            for text in self._answer_watch.see(entry, result, self._without):
                self.tell(f"[ANSWERS] {text}")
        # Before the narratives are known nothing can be counted, and what the record says must not go backwards.
        return self.progress.total is not None

    def _tell_progress_if_due(self, now: float) -> None:
        if self._beat is None:
            # What was done before this session is no news.
            self._beat = Beat(now, self.progress.done_before)
        if self._logs is not None and self._beat.is_due(now, self.progress.done):
            text = line(self.standing())
            self._logs.event(text)
            self.screen.note(text)

    def standing(self) -> Standing:
        """How the run stands now, without what the gate alone knows."""
        progress, now = self.progress, time.monotonic()
        run = self._params.run
        cost = cost_of(progress.prompt_tokens, progress.completion_tokens, run)
        return Standing(
            experiment_name=self._params.experiment.name,
            n_narratives_total=progress.total,
            n_narratives_processed=progress.done,
            rate_recent=progress.rate(),
            rate_session=progress.session_rate(),
            seconds_left=progress.seconds_left(now),
            estimated_completion_time=self._eta(now),
            elapsed_sec=now - progress.began,
            errors={category: count for category, count in progress.errors.most_common() if count},
            prompt_tokens=progress.prompt_tokens,
            completion_tokens=progress.completion_tokens,
            tokens_used=progress.tokens,
            cost=cost,
            cost_estimate=cost_of_all(cost, progress.done, progress.total),
        )

    def close(self, outcome: str, reason: str | None, cancelled: bool) -> None:
        """The last word on the run; outcome: `success` or `failure`, with the reason where there is one."""
        reason = reason or "a job of the workflow failed; see the messages above"
        self.screen.close()
        try:
            self.bring_up_to_date()
            for text in self._answer_watch.at_the_end():
                self.tell(f"[ANSWERS] {text}")
            if self.progress.remaining:
                reason = f"{reason.rstrip('.')}{':' if reason.startswith(STOPPED_BY) else '.'} {self._counts()}"
            if outcome == "success" and state.is_running(self._order.experiment_id):
                # Of a part of the workflow: `--until source`, `--omit-from record`, `--touch`.
                reason = f"a part of the workflow was run, without the merge. {self._counts()}".strip()
                state.stop(self._order.experiment_id, "failed", reason)
            if outcome == "failure" and self._logs is not None:
                state.stop(self._order.experiment_id, "cancelled" if cancelled else "failed", reason)
                self._logs.stopped(reason)
        except (NarrativeRunsError, OSError) as error:
            self.screen.say(f"The record could not be brought up to date: {reason_of(error)}")
        if outcome == "failure":
            self.screen.say(
                f"{reason[0].upper()}{reason[1:]}" if reason.startswith(STOPPED_BY) else f"The run stopped: {reason}"
            )
        if self._logs is not None:
            self._logs.event(f"the session ends: {outcome}")

    def _counts(self) -> str:
        if self.progress.total is None:
            return ""
        return f"{self.progress.done:,} of {self.progress.total:,} done, {self.progress.remaining:,} to go."

    def _eta(self, now: float) -> str | None:
        left = self.progress.seconds_left(now)
        return None if not left else (datetime.now() + timedelta(seconds=left)).strftime(TIME)

    def _tell_resume(self) -> None:
        progress = self.progress
        rule = "=" * 40
        counts = [
            f"Completed: {self._follower.kept():,} narratives",
            "Remaining: known when the workbook is read again",
        ]
        if progress.total is not None:
            counts = [
                f"Completed: {progress.done} narratives",
                f"Remaining: {progress.total - progress.done} narratives",
                f"Total: {progress.total} narratives",
                f"Progress: {percent_done(progress.done, progress.total)}",
            ]
        lines = [
            rule,
            f"RESUMING EXPERIMENT: {self._params.experiment.name}",
            rule,
            f"Experiment ID: {self._order.experiment_id}",
            f"Original start: {self._order.began_at}",
            *counts,
            rule,
        ]
        for text in lines:
            self.screen.say(text)
        if self._logs is not None:
            self._logs.resumed([f"RESUME ATTEMPT - {datetime.now().strftime(TIME)}", *lines])

    def _tell_new_release(self) -> None:
        if not self._order.earlier_release or self.progress.total is None:
            return
        self.tell(
            f"Last run by {self._order.earlier_release}. Its answers are now read by release {__version__}: "
            f"{self._follower.read_differently} of {self.progress.done} results are read differently."
        )


def report(answer: dict[str, Any]) -> None:
    """Tell the main process, if it is still there."""
    # One write a line: two threads speak to it, and their lines must not run into each other.
    with suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")
