"""Is it this narrative, or is it the run? Decided by what else was answered, never by the words of an error.

A narrative without an answer is asked again, set aside, left open or settled, step by step as this module decides; it
is pure, and one for all who ask. A narrative gets an error row only when

- it failed twice, if the server refused it, or `max_attempts` times, if the failure is one that may pass;
- another narrative that was asked after its first failure was answered by the server that failed last: for a text that
  seems too long, one that is at least as long, or the longest of all;
- nobody who failed alike there was answered later, and no evidence request failed alike there: such failures are the
  run's, or that server's.
"""

from collections import Counter, deque
from collections.abc import Set
from dataclasses import dataclass, field
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
    """A narrative that failed, last at this server; servers: all at which it failed. Times are those of the inquiry's
    clock, which counts events."""

    failure: Failure
    server: int
    characters: int
    began: int
    before_last: int
    last: int
    counted: int = 1
    requests: int = 1
    was_set_aside: bool = False
    servers: set[int] = field(default_factory=set)


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
        # Which server was asked about a narrative, and when.
        self._sent: dict[Key, tuple[int, int]] = {}
        # Of the last answered narratives: which server answered, when it was asked, and the length.
        self._answered: deque[tuple[int, int, int]] = deque(maxlen=REMEMBERED)
        self._alive_at = 0
        # By server: the evidence request whose outcome will come, and when it was sent; and when the last one was sent
        # that was answered, of those about a narrative.
        self._evidence: dict[int, tuple[Step, int]] = {}
        self._evidence_at: dict[int, int] = {}
        # By server and nature of the failure.
        self._doubted: dict[tuple[int, str], tuple[int, int]] = {}
        self._failures: deque[tuple[int, int, str, Key]] = deque(maxlen=REMEMBERED)
        self._none_answered: dict[Key, Failure] = {}
        self._failed_since_answer: set[Key] = set()

    def sent(self, narrative: Key, server: int) -> None:
        """A request about this narrative leaves now, to this server."""
        self._sent[narrative] = server, self._tick()

    def release(self, narrative: Key) -> None:
        """That request says nothing, because this machine slept."""
        self._sent.pop(narrative, None)

    def answered(self, narrative: Key, characters: int) -> None:
        """It was answered; characters: the length of the narrative."""
        self.answers += 1
        self._alive_at = self._tick()
        self._longest_answered = max(self._longest_answered, characters)
        if (sent := self._sent.pop(narrative, None)) is not None:
            self._answered.append((*sent, characters))
        self._none_answered.clear()
        self._failed_since_answer.clear()
        case = self._cases.pop(narrative, None)
        if case is not None:
            # The same request failed before, so that such a failure says nothing about a narrative.
            self._doubt(case.server, case.failure)

    def failed(self, narrative: Key, characters: int, failure: Failure) -> None:
        """It was not answered."""
        now = self._tick()
        server, _ = self._sent.pop(narrative, (0, 0))
        self._failures.append((now, server, failure.alike, narrative))
        self._failed_since_answer.add(narrative)
        case = self._cases.get(narrative)
        if case is None:
            self._cases[narrative] = _Case(failure, server, characters, now, now, now, servers={server})
            return
        case.servers.add(server)
        case.failure, case.server, case.before_last, case.last = failure, server, case.last, now
        case.counted += 1
        case.requests += 1

    def failed_at(self, narrative: Key) -> int | None:
        """The server at which this narrative failed last; None if it did not."""
        case = self._cases.get(narrative)
        return None if case is None else case.server

    def failed_at_all(self, narrative: Key) -> Set[int]:
        """All servers at which this narrative failed."""
        case = self._cases.get(narrative)
        return set() if case is None else case.servers

    def has_evidence_in_flight(self, server: int) -> bool:
        """Whether the outcome of an evidence request will come from this server; there is one at a time."""
        return server in self._evidence

    def evidence_sent(self, step: Step, server: int) -> None:
        """An evidence request leaves now, to this server."""
        self._evidence[server] = step, self._tick()

    def evidence_lost(self, server: int) -> None:
        """Its outcome will not come: who sent it is gone."""
        self._evidence.pop(server, None)

    def evidence_answered(self, server: int, characters: int) -> None:
        """It was answered; characters: the length of the narrative that was answered again, 0 if it was about none."""
        self._alive_at = self._tick()
        step, sent_at = self._evidence.pop(server, (Step.PROBE, self._clock))
        if step is Step.EVIDENCE:
            self._evidence_at[server] = sent_at
        if characters:
            self._answered.append((server, sent_at, characters))
            self._none_answered.clear()

    def evidence_failed(self, server: int, failure: Failure) -> None:
        """It failed: whatever failed alike there was not the narratives' fault."""
        self._evidence.pop(server, None)
        self._tick()
        self._doubt(server, failure)

    def left_out(self, server: int) -> None:
        """This server is asked no more: what failed there says nothing about the narratives."""
        for narrative in [narrative for narrative, case in self._cases.items() if case.server == server]:
            del self._cases[narrative]
            self._none_answered.pop(narrative, None)

    def forget(self, job: int) -> None:
        """The job has ended: its narratives are open, or have their rows."""
        for key in {key for key in (*self._cases, *self._sent, *self._none_answered) if key[0] == job}:
            self._cases.pop(key, None)
            self._sent.pop(key, None)
            self._none_answered.pop(key, None)

    def next_step(self, narrative: Key, others_in_flight: bool) -> Step:
        """What to do next about a narrative.

        others_in_flight: whether another narrative's outcome will come from the server at which this one failed.
        An evidence request goes to that server.
        """
        case = self._cases.get(narrative)
        if case is None:
            return Step.ASK
        refused = not case.failure.passes
        if refused and not self.answers and self._alive_at < case.began:
            # At the start a refusal is more often the run's fault than the narrative's.
            return self._evidence_unless(case, False) if self._longest_answered else self._probe_unless(case, False)
        enough = min(ENOUGH_REFUSALS, self._max_attempts) if refused else self._max_attempts
        if case.counted == enough - 1 and not case.was_set_aside and len(self._failed_since_answer) < FEW:
            # The last attempt is made at another time: where two servers take turns, it may meet the other one.
            case.was_set_aside = True
            return Step.SET_ASIDE
        if case.counted < enough and case.requests < self._max_attempts:
            # After a failure that may pass, somebody has to be answered first: a dead server is no second attempt.
            is_due = refused or self._alive_at > case.last or self._is_next_in_turn(case)
            return Step.ASK if is_due else self._probe_unless(case, others_in_flight)
        if self._is_doubtful(case):
            return self._step_in_doubt(narrative, case)
        if not self._is_proved(case):
            return self._step_without_proof(narrative, case, others_in_flight)
        if self._is_too_long(case):
            return self._close(narrative, Step.SETTLE_AS_TOO_LONG)
        if self._failed_alike(narrative, case):
            if case.requests < min(ENOUGH_AMONG_ALIKE, self._max_attempts):
                return Step.ASK if self._alive_at > case.last else self._probe_unless(case, others_in_flight)
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
            f"{messages.most_common(1)[0][0]}. Are they too long for the context with which the model is loaded, or is "
            "run.timeout_s too short?"
        )

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _doubt(self, server: int, failure: Failure) -> None:
        self._doubted[server, failure.alike] = (self._clock, self.answers)

    def _is_next_in_turn(self, case: _Case) -> bool:
        """Whether to ask at once: where two servers take turns, each short question in between meets the sound one."""
        return case.counted % 2 == 0 and self._alive_at > case.before_last

    def _is_doubtful(self, case: _Case) -> bool:
        """Whether failures of this nature were the run's fault, or the server's, lately."""
        nature = case.server, case.failure.alike
        if nature not in self._doubted:
            return False
        at, answers = self._doubted[nature]
        return at > case.began or self.answers - answers < DOUBT_LASTS

    def _is_proved(self, case: _Case) -> bool:
        """Whether another narrative that was asked later was answered by the same server."""
        at_least = min(case.characters, self._longest_answered) if case.failure.seems_too_long else 0
        return any(
            server == case.server and sent > case.began and characters >= at_least
            for server, sent, characters in self._answered
        )

    def _is_too_long(self, case: _Case) -> bool:
        return case.failure.seems_too_long and case.characters > self._longest_answered

    def _failed_alike(self, narrative: Key, case: _Case) -> bool:
        """Whether another narrative failed alike at the same server meanwhile, or shortly before."""
        return any(
            (at > case.began or self._clock - at < LATELY or other in self._cases)
            and (server, alike) == (case.server, case.failure.alike)
            and other != narrative
            for at, server, alike, other in self._failures
        )

    def probe(self, server: int) -> Step:
        """A short question to this server, whether it is well; unless one is under way."""
        if server in self._evidence:
            return Step.WAIT
        return Step.PROBE if self.answers else Step.TRIAL

    def _probe_unless(self, case: _Case, others_in_flight: bool) -> Step:
        """Whether the server is well: the outcome of others shows it; if there will be none, a short question does."""
        return Step.WAIT if others_in_flight else self.probe(case.server)

    def _evidence_unless(self, case: _Case, others_in_flight: bool) -> Step:
        return Step.WAIT if others_in_flight or case.server in self._evidence else Step.EVIDENCE

    def _step_without_proof(self, narrative: Key, case: _Case, others_in_flight: bool) -> Step:
        if self._evidence_at.get(case.server, 0) < case.began and self._longest_answered:
            # That of a text as long as this one is not to be waited for.
            return self._evidence_unless(case, others_in_flight and not case.failure.seems_too_long)
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
