"""Reports on a session: in the record, in the logs and on the terminal."""

import json
import os
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from narrative_runs import __version__
from narrative_runs.asking.advice import UNSUPPORTED, of_another_name
from narrative_runs.error_patterns.sentences import Experiment, sentence
from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.experiment import ExperimentState, describe
from narrative_runs.observation.answer_patterns import AnswerPatterns
from narrative_runs.observation.cost import cost_of, cost_of_all
from narrative_runs.observation.error_patterns import ErrorPatterns
from narrative_runs.observation.journal_tail import JournalTail
from narrative_runs.observation.logs import Logs
from narrative_runs.observation.notice import Event
from narrative_runs.observation.progress import Interval, Progress, line, percent_done
from narrative_runs.observation.promised_end import PromisedEnd
from narrative_runs.observation.recent_errors import RecentErrors
from narrative_runs.observation.record_writer import RecordWriter
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.observation.terminal import Terminal
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import state
from narrative_runs.record.state import TIME
from narrative_runs.run_spec import RunSpec
from narrative_runs.signals import STOPPED_BY
from narrative_runs.snapshots import Counts
from narrative_runs.source.shards import iterate_all

# Of run.budget_tokens.
MOST_OF_BUDGET = 0.8


class RunMonitor:
    """The one writer of an experiment's record, logs and terminal while it runs.

    progress, terminal: those of the run.
    """

    def __init__(self, spec: RunSpec, params: Params) -> None:
        self.progress = Progress(began=time.monotonic())
        self.terminal = Terminal(copy_to=spec.copy_to)
        self._spec = spec
        self._params = params
        self._folder = ExperimentFolder(spec.slug)
        self._tail = JournalTail(
            self._folder, spec.experiment_id, params, self.progress, is_new_release=bool(spec.earlier_release)
        )
        self._following = threading.Lock()
        of_experiment = Experiment.of(spec.experiment_id, params)
        self._error_patterns = ErrorPatterns(lambda pattern: sentence(pattern, of_experiment))
        self._recent_errors = RecentErrors()
        self._answer_patterns = AnswerPatterns(params)
        self._unsupported: set[str] = set()
        self._promised_end = PromisedEnd()
        self._is_budget_reported = False
        self._interval: Interval | None = None
        self._record_writer = RecordWriter(
            spec.experiment_id,
            self._tail.unrecorded,
            lambda: iterate_all(self._folder, params.shards.count),
            self._tail.are_narratives_there,
            str(params.data.file),
            spec.source_md5,
            params.variables,
            self.tell,
        )
        self._logs: Logs | None = None

    @property
    def model(self) -> str:
        """The model as the server named it in the first answer; empty before."""
        return self._tail.model

    def is_answered(self, fingerprint: str) -> bool:
        """Whether the journals hold an answer, or a settled failure, for what has this fingerprint."""
        return self._tail.is_answered(fingerprint)

    @property
    def longest_answered(self) -> int:
        """Characters of the longest narrative that was answered."""
        return self._tail.longest_answered

    def counts(self, before: int | None = None) -> Counts:
        """The progress of the experiment by the journals; before: by those of sessions with a lower number than
        this."""
        with self._following:
            self._look()
            return self._tail.counts(before)

    def begin_writing(self) -> None:
        """Write the experiment into its folder and the record; nothing is written before the workbook is ready."""
        if self._logs is not None:
            # A new release reads the workbook once more of an experiment that has begun.
            return
        spec = self._spec
        describe(
            self._folder,
            ExperimentState(
                spec.experiment_id,
                spec.source_md5,
                spec.params,
                spec.resumes,
                spec.began_at,
                spec.reading_rules,
            ),
        )
        if not spec.recorded:
            state.begin(spec.experiment_id, spec.began_at, self._folder, self._params)
        with self._following:
            self._logs = Logs(self._folder.logs)
            self._logs.event(f"session started, version {__version__}, PID {os.getpid()}")
            self._tail.follow()
            # Of an earlier session this was told then.
            self._is_budget_reported = self._is_most_of_budget_used()
        if spec.resumes and not spec.recorded:
            self._tell_resume()
            self._tell_new_release()
        for change in spec.changes:
            self.tell(f"Changed since the last session: {change}")

    def tell(self, text: str) -> None:
        """Show one line to the user, and keep it in the log."""
        self.terminal.say(text)
        if self._logs is not None:
            self._logs.event(text)

    def trouble(self, kind: str, job: str, message: str) -> None:
        """Log that a request gave no answer."""
        if self._logs is not None:
            self._logs.trouble(kind, job, message)

    def evidence(self, job: str, outcome: str, requests: int) -> None:
        """Log that evidence requests were sent, and their outcome."""
        if self._logs is not None:
            self._logs.evidence(job, outcome, requests)

    def unsupported(self, part: str) -> None:
        """Say what the server does not take or give: `schema` or `logprobs`."""
        self._unsupported.add(part)
        self.tell(UNSUPPORTED[part])

    def answers_as(self, model: str) -> None:
        """Say so where the server answers by another name than the one that was asked for."""
        if line := of_another_name(self._params.model, model):
            self.tell(line)

    def stopped(self, reason: str) -> None:
        """Tell the main process that this run cannot succeed, so that it need not look for the reason."""
        report({"stopped": reason})

    def notify(self, event: Event, message: str) -> None:
        """Run the user's own command, if there is one (`run.notify`).

        message: one line, which may leave the network: without a text, an id, or words of the server.
        """
        if self._params.run.notify:
            report({"notice": event, "message": message})

    def follow(self) -> None:
        """Bring new entries of the journals into the logs, and, as often as is due, into the record and the terminal.

        Raises:
            RecordError: the record cannot be written.
        """
        with self._following:
            if self._look():
                now = time.monotonic()
                self._record_writer.move_if_due(self.status(), now)
                self._tell_progress_if_due(now)
                self._notify_if_end_slips(now)

    def bring_up_to_date(self, is_at_the_end: bool = False) -> None:
        """Bring all that the journals hold into the record, however long other programs keep it.

        is_at_the_end: whether nothing more comes, so that the errors are searched once more.

        Raises:
            RecordError: the record cannot be written.
        """
        with self._following:
            if self._look():
                if is_at_the_end and not self._spec.recorded and self._look_for_patterns(is_at_the_end):
                    self._notify_of_pattern()
                self._record_writer.move(self.status(), time.monotonic())

    def _look(self) -> bool:
        """Read on in the journals; returns whether the experiment has begun and its narratives are known."""
        if self._logs is None:
            return False
        has_pattern = False
        for entry, result in self._tail.follow():
            self._logs.entry(entry, result)
            for warning in self._recent_errors.see(result) if result is not None else ():
                self.tell(f"[ERRORS] {warning}")
                has_pattern = True
            for text in self._answer_patterns.see(entry, result, self._unsupported):
                self.tell(f"[ANSWERS] {text}")
        # What is asked again now, or was looked at when it was completed, is no news.
        if not (self._spec.retry_errors or self._spec.recorded):
            has_pattern |= self._look_for_patterns()
        if has_pattern:
            self._notify_of_pattern()
        self._notify_if_most_of_budget_is_used()
        # Before the narratives are known nothing can be counted, and what the record says must not go backwards.
        return self.progress.total is not None

    def _look_for_patterns(self, is_at_the_end: bool = False) -> bool:
        """Search the errors of the whole run, if it is time to; returns whether there is a new pattern."""
        texts = self._error_patterns.look(self._tail.outcomes, is_at_the_end)
        for text in texts:
            self.tell(f"[ERRORS] Pattern: {text}")
        self._record_writer.patterns = self._error_patterns.with_sentences
        return bool(texts)

    def _notify_of_pattern(self) -> None:
        # What is told on the screen may hold words of the server.
        errors, done = self.progress.errors.total(), self.progress.done
        self.notify(Event.PATTERN, f"Errors show a pattern: {errors:,} of {done:,} results are errors so far.")

    def _tell_progress_if_due(self, now: float) -> None:
        if self._interval is None:
            # What was done before this session was told then.
            self._interval = Interval(now, self.progress.done_before)
        if self._logs is not None and self._interval.is_due(now, self.progress.done):
            text = line(self.status())
            self._logs.event(text)
            self.terminal.note(text)

    def _notify_if_end_slips(self, now: float) -> None:
        left = self.progress.seconds_left(now)
        if slip := self._promised_end.see(time.time(), left, self.progress.done_now):
            before, then = (datetime.fromtimestamp(end).strftime(TIME) for end in slip)
            self.notify(Event.ETA, f"The run is now expected to end at {then} instead of {before}. {self._counts()}")

    def _notify_if_most_of_budget_is_used(self) -> None:
        if self._is_most_of_budget_used() and not self._is_budget_reported:
            self._is_budget_reported = True
            used = f"{self.progress.tokens:,} of {self._params.run.budget_tokens:,} tokens"
            self.notify(Event.BUDGET, f"{used} (run.budget_tokens) are used. {self._counts()}")

    def _is_most_of_budget_used(self) -> bool:
        budget = self._params.run.budget_tokens
        return budget is not None and self.progress.tokens >= MOST_OF_BUDGET * budget

    def status(self) -> RunStatus:
        """How the run stands now, without what the limiter alone knows."""
        progress, now = self.progress, time.monotonic()
        run = self._params.run
        cost = cost_of(progress.prompt_tokens, progress.completion_tokens, run)
        return RunStatus(
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
            error_patterns=[text for _, text in self._error_patterns.with_sentences],
        )

    def close(self, outcome: str, reason: str | None, cancelled: bool) -> None:
        """Write the last lines about the run; outcome: `success` or `failure`, with the reason where there is one."""
        reason = reason or "a job of the workflow failed; see the messages above"
        self.terminal.close()
        try:
            self.bring_up_to_date(is_at_the_end=True)
            for text in self._answer_patterns.at_the_end():
                self.tell(f"[ANSWERS] {text}")
            if self.progress.remaining:
                reason = f"{reason.rstrip('.')}{_mark_after(reason)} {self._counts()}"
            if outcome == "success" and state.is_running(self._spec.experiment_id):
                # Of a part of the workflow: `--until source`, `--omit-from record`, `--touch`.
                reason = f"only a part of the workflow was run, without the merge. {self._counts()}".strip()
                state.stop(self._spec.experiment_id, "failed", reason)
            if outcome == "failure" and self._logs is not None:
                state.stop(self._spec.experiment_id, "cancelled" if cancelled else "failed", reason)
                self._logs.stopped(reason)
        except (NarrativeRunsError, OSError) as error:
            self.terminal.say(f"The record could not be brought up to date: {reason_of(error)}")
        if outcome == "failure":
            self.terminal.say(
                f"{reason[0].upper()}{reason[1:]}" if reason.startswith(STOPPED_BY) else f"The run stopped: {reason}"
            )
        if self._logs is not None:
            self._logs.event(f"the session ended: {outcome}")

    def leave(self, reason: str) -> None:
        """Say why the run stopped, and write nothing: its experiment now belongs to another run."""
        self.terminal.close()
        self.terminal.say(f"The run stopped: {reason}.")

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
            f"Completed: {self._tail.kept():,} narratives",
            "Remaining: not known until the workbook is read again",
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
            f"Experiment ID: {self._spec.experiment_id}",
            f"Original start: {self._spec.began_at}",
            *counts,
            rule,
        ]
        for text in lines:
            self.terminal.say(text)
        if self._logs is not None:
            self._logs.resumed([f"RESUME ATTEMPT - {datetime.now().strftime(TIME)}", *lines])

    def _tell_new_release(self) -> None:
        if not self._spec.earlier_release or self.progress.total is None:
            return
        self.tell(
            f"Last run by {self._spec.earlier_release}. Its answers are now read by release {__version__}: "
            f"{self._tail.read_differently} of {self.progress.done} results are read differently."
        )


def _mark_after(reason: str) -> str:
    """The mark between a reason and the counts that follow it."""
    return ":" if reason.startswith(STOPPED_BY) else "" if reason.endswith("?") else "."


def report(answer: dict[str, Any]) -> None:
    """Tell the main process, if it is still there."""
    # One write a line: two threads speak to it, and their lines must not run into each other.
    with suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")
