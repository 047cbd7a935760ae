"""Is it this narrative, or is it the run? Decided by what else was answered, never by the words of an error.

A narrative without an answer is asked again, set aside, left open or settled, step by step as this module decides; it
is pure, and one for all who ask. A narrative gets an error row only when

- it failed twice, if the server refused it, or `max_attempts` times, if the failure is one that may pass;
- another narrative that was asked after its first failure was answered: for a text that seems too long, one that is at
  least as long, or the longest of all;
- nobody who failed alike was answered later, and no evidence request failed alike: such failures are the run's.
"""

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum

from narrative_runs.asking.failures import Failure

# The number of a job, and of one of its narratives.
Key = tuple[int, int]

ENOUGH_REFUSALS = 2
ENOUGH_AMONG_ALIKE = 5
# Answers after which a doubt about failures of one nature has passed.
DOUBT_LASTS = 20
# Narratives that failed while nothing but a short question was answered, after which the run stops.
NONE_ANSWERED = 8
# Narratives that failed since the last answer, beyond which none is set aside without more evidence.
FEW = 4
# Events, of which each request makes two.
LATELY = 20
REMEMBERED = 1000


class Step(StrEnum):
    """What to do next about one narrative."""

    ASK = "ask"
    EVIDENCE = "evidence"  # ask again for a narrative that was answered before
    PROBE = "probe"  # ask a short question about no narrative: is the server well?
    TRIAL = "trial"  # the same before any answer; and which parts of a request does the server not take?
    WAIT = "wait"  # until another request has its outcome
    SET_ASIDE = "set_aside"  # ask others first
    SETTLE = "settle"  # its failure becomes an error row
    SETTLE_AS_TOO_LONG = "settle_as_too_long"
    LEAVE_OPEN = "leave_open"  # no row in this run; the next one asks again


@dataclass
class _Case:
    """A narrative that failed. Times are those of the inquiry's clock, which counts events."""

    failure: Failure
    characters: int
    began: int
    before_last: int
    last: int
    counted: int = 1
    requests: int = 1
    was_set_aside: bool = False


class Inquiry:
    """What is known of the narratives that failed, and of what was answered meanwhile.

    answers: narratives answered in this session; left_open: how many get no row, by the message of their failure.
    """

    def __init__(self, max_attempts: int, longest_answered: int = 0) -> None:
        """max_attempts: requests for one narrative before a failure that may pass becomes an error row;
        longest_answered: characters of the longest narrative that earlier sessions got an answer to."""
        self.answers = 0
        self.left_open: Counter[str] = Counter()
        self._max_attempts = max_attempts
        self._longest_answered = longest_answered
        self._clock = 0
        self._cases: dict[Key, _Case] = {}
        self._sent: dict[Key, int] = {}
        # When each of the last answered narratives was asked, and its length.
        self._answered: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self._alive_at = 0
        # The evidence request whose outcome will come, and when it was sent.
        self._evidence: Step | None = None
        self._evidence_sent_at = 0
        self._evidence_at = 0
        self._doubted: dict[str, tuple[int, int]] = {}
        self._failures: deque[tuple[int, str, Key]] = deque(maxlen=REMEMBERED)
        self._none_answered: dict[Key, Failure] = {}
        self._failed_since_answer: set[Key] = set()

    def sent(self, narrative: Key) -> None:
        """A request about this narrative leaves now."""
        self._sent[narrative] = self._tick()

    def unused(self, narrative: Key) -> None:
        """That request says nothing, because this machine slept."""
        self._sent.pop(narrative, None)

    def answered(self, narrative: Key, characters: int) -> None:
        """It was answered; characters: the length of the narrative."""
        self.answers += 1
        self._alive_at = self._tick()
        self._longest_answered = max(self._longest_answered, characters)
        self._answered.append((self._sent.pop(narrative, self._clock), characters))
        self._none_answered.clear()
        self._failed_since_answer.clear()
        case = self._cases.pop(narrative, None)
        if case is not None:
            # The same request failed before, so that such a failure says nothing about a narrative.
            self._doubt(case.failure)

    def failed(self, narrative: Key, characters: int, failure: Failure) -> None:
        """It was not answered."""
        now = self._tick()
        self._sent.pop(narrative, None)
        self._failures.append((now, failure.alike, narrative))
        self._failed_since_answer.add(narrative)
        case = self._cases.get(narrative)
        if case is None:
            self._cases[narrative] = _Case(failure, characters, now, now, now)
            return
        case.failure, case.before_last, case.last = failure, case.last, now
        case.counted += 1
        case.requests += 1

    @property
    def evidence_in_flight(self) -> bool:
        """Whether the outcome of an evidence request will come; there is one at a time."""
        return self._evidence is not None

    def evidence_sent(self, step: Step) -> None:
        """An evidence request leaves now."""
        self._evidence, self._evidence_sent_at = step, self._tick()

    def evidence_answered(self, characters: int) -> None:
        """It was answered; characters: the length of the narrative that was answered again, 0 if it was about none."""
        self._alive_at = self._tick()
        if self._evidence is Step.EVIDENCE:
            self._evidence_at = self._evidence_sent_at
        self._evidence = None
        if characters:
            self._answered.append((self._evidence_sent_at, characters))
            self._none_answered.clear()

    def evidence_failed(self, failure: Failure) -> None:
        """It failed: whatever failed alike was the run's fault."""
        self._evidence = None
        self._tick()
        self._doubt(failure)

    def forget(self, job: int) -> None:
        """The job has ended: its narratives are open, or have their rows."""
        for key in {key for key in (*self._cases, *self._sent, *self._none_answered) if key[0] == job}:
            self._cases.pop(key, None)
            self._sent.pop(key, None)
            self._none_answered.pop(key, None)

    def next_step(self, narrative: Key, others_in_flight: bool) -> Step:
        """What to do next about a narrative; others_in_flight: whether another narrative's outcome will come."""
        case = self._cases.get(narrative)
        if case is None:
            return Step.ASK
        refused = not case.failure.passes
        if refused and not self.answers and self._alive_at < case.began:
            # At the start a refusal is more often the run's fault than the narrative's.
            return self._evidence_unless(False) if self._longest_answered else self.probe_unless(False)
        enough = min(ENOUGH_REFUSALS, self._max_attempts) if refused else self._max_attempts
        if case.counted == enough - 1 and not case.was_set_aside and len(self._failed_since_answer) < FEW:
            # The last attempt is made at another time: where two servers take turns, it may meet the other one.
            case.was_set_aside = True
            return Step.SET_ASIDE
        if case.counted < enough and case.requests < self._max_attempts:
            # After a failure that may pass, somebody has to be answered first: a dead server is no second attempt.
            is_due = refused or self._alive_at > case.last or self._is_next_in_turn(case)
            return Step.ASK if is_due else self.probe_unless(others_in_flight)
        if self._is_doubtful(case):
            return self._step_in_doubt(narrative, case)
        if not self._is_proved(case):
            return self._step_without_proof(narrative, case, others_in_flight)
        if self._is_too_long(case):
            return self._close(narrative, Step.SETTLE_AS_TOO_LONG)
        if self._failed_alike(narrative, case):
            if case.requests < min(ENOUGH_AMONG_ALIKE, self._max_attempts):
                return Step.ASK if self._alive_at > case.last else self.probe_unless(others_in_flight)
            if not case.was_set_aside:
                # What becomes of the others will tell.
                case.was_set_aside = True
                return Step.SET_ASIDE
        return self._close(narrative, Step.SETTLE)

    @property
    def reason_to_stop(self) -> str | None:
        """Why nothing more is to be asked: a short question is answered, and none of several narratives is."""
        if len(self._none_answered) < NONE_ANSWERED:
            return None
        messages = Counter(failure.message for failure in self._none_answered.values())
        return (
            f"the server answers a short question, but none of {len(self._none_answered)} narratives: "
            f"{messages.most_common(1)[0][0]}. Are they too long for the context with which the model is loaded, or "
            "run.timeout_s too short?"
        )

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _doubt(self, failure: Failure) -> None:
        self._doubted[failure.alike] = (self._clock, self.answers)

    def _is_next_in_turn(self, case: _Case) -> bool:
        """Whether to ask at once: where two servers take turns, each short question in between meets the sound one."""
        return case.counted % 2 == 0 and self._alive_at > case.before_last

    def _is_doubtful(self, case: _Case) -> bool:
        """Whether failures of this nature were the run's fault lately."""
        if case.failure.alike not in self._doubted:
            return False
        at, answers = self._doubted[case.failure.alike]
        return at > case.began or self.answers - answers < DOUBT_LASTS

    def _is_proved(self, case: _Case) -> bool:
        """Whether another narrative that was asked later was answered."""
        at_least = min(case.characters, self._longest_answered) if case.failure.seems_too_long else 0
        return any(sent > case.began and characters >= at_least for sent, characters in self._answered)

    def _is_too_long(self, case: _Case) -> bool:
        return case.failure.seems_too_long and case.characters > self._longest_answered

    def _failed_alike(self, narrative: Key, case: _Case) -> bool:
        """Whether another narrative failed alike meanwhile, or shortly before."""
        return any(
            (at > case.began or self._clock - at < LATELY or other in self._cases)
            and alike == case.failure.alike
            and other != narrative
            for at, alike, other in self._failures
        )

    def probe_unless(self, others_in_flight: bool) -> Step:
        """Whether the server is well: the outcome of others tells; where there will be none, a short question."""
        if others_in_flight or self.evidence_in_flight:
            return Step.WAIT
        return Step.PROBE if self.answers else Step.TRIAL

    def _evidence_unless(self, others_in_flight: bool) -> Step:
        return Step.WAIT if others_in_flight or self.evidence_in_flight else Step.EVIDENCE

    def _step_without_proof(self, narrative: Key, case: _Case, others_in_flight: bool) -> Step:
        if self._evidence_at < case.began and self._longest_answered:
            # That of a text as long as this one is not to be waited for.
            return self._evidence_unless(others_in_flight and not case.failure.seems_too_long)
        # The evidence was about no narrative, or about one that is too short: another answer may prove it.
        if case.was_set_aside:
            return Step.WAIT if others_in_flight else self._close(narrative, Step.LEAVE_OPEN)
        if not self.answers:
            self._none_answered[narrative] = case.failure
        case.was_set_aside = True
        return Step.SET_ASIDE

    def _step_in_doubt(self, narrative: Key, case: _Case) -> Step:
        if case.requests >= self._max_attempts:
            return self._close(narrative, Step.LEAVE_OPEN)
        # Its failures so far say nothing.
        step = Step.ASK if case.was_set_aside else Step.SET_ASIDE
        case.was_set_aside, case.began, case.counted = True, self._clock, 0
        return step

    def _close(self, narrative: Key, step: Step) -> Step:
        failure = self._cases.pop(narrative).failure
        if step is Step.LEAVE_OPEN:
            self.left_open[failure.message] += 1
        return step
