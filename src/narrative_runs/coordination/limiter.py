"""Who may ask now, and at which server: slots, rate, budget and the state of the servers, as pure decisions on a given
time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from narrative_runs.asking.failures import Failure
from narrative_runs.coordination.server_limiter import ServerLimiter

JUST_AFTER_S = 0.001
_Counted = TypeVar("_Counted", "Slot", "Wish")


@dataclass(frozen=True)
class Limits:
    """What holds over all shards: requests at once to one server, and of all servers together: requests per minute,
    tokens of the experiment, seconds without an answer."""

    max_in_flight: int
    requests_per_minute: float | None
    budget_tokens: int | None
    give_up_after_s: float


class Wish(NamedTuple):
    """A request about a narrative of a shard is to be sent, to one of these servers; none named: to whichever."""

    shard: int
    servers: tuple[int, ...] = ()


class Slot(NamedTuple):
    """A request about a narrative of this shard, at this server."""

    shard: int
    server: int


class Limiter:
    """The slots of one run, handed out to the oldest shard first. Times are seconds of a monotonic clock.

    Shards that shared the slots evenly would all end together, and slots would idle while new shards start. Of the
    servers that may be asked, the one with the most slots to spare is.

    servers: what each of them bears; in_flight: requests that they have.
    """

    def __init__(self, limits: Limits, spent_tokens: int = 0, answers: int = 0, servers: int = 1) -> None:
        """spent_tokens, answers: what this experiment used and got in earlier sessions; servers: how many there are."""
        self.limits = limits
        self.servers = [ServerLimiter(limits.max_in_flight) for _ in range(servers)]
        self.spent_tokens = spent_tokens
        self.answers = answers
        self.in_flight: Counter[Slot] = Counter()
        self.stopped: str | None = None
        self._waiting: Counter[Wish] = Counter()
        self._next_by_rate = 0.0

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return self._waiting.total()

    @property
    def slots(self) -> int:
        """Requests at once, over all servers."""
        return sum(server.slots for server in self._in_use)

    @property
    def paused_until(self) -> float:
        """When a server may be asked again; in the past where one may be asked now."""
        return min((server.paused_until for server in self._in_use), default=0.0)

    def is_well(self, server: int) -> bool:
        """Whether a server is neither left out nor in trouble."""
        return not self.servers[server].left_out and self.servers[server].trouble_since is None

    def add_server(self) -> int:
        """One server more may be asked; returns its number."""
        self.servers.append(ServerLimiter(self.limits.max_in_flight))
        return len(self.servers) - 1

    def remove_server(self, server: int) -> None:
        """A server is gone with who asked there, and nobody waits for it any more."""
        self.servers[server].left_out = "it has ended"

    def acquire(self, wish: Wish) -> None:
        """A request is to be sent; of two shards the lower number is older."""
        self._waiting[wish] += 1

    def lost(self, shard: int) -> None:
        """Who asked for a shard is gone: its slots come back."""
        for slot in [slot for slot in self.in_flight if slot.shard == shard]:
            self.servers[slot.server].release(self.in_flight.pop(slot))
        for wish in [wish for wish in self._waiting if wish.shard == shard]:
            del self._waiting[wish]

    def answered(self, slot: Slot, tokens: int) -> None:
        """A request was answered."""
        if _take_one(self.in_flight, slot):
            self.servers[slot.server].answered()
        if not tokens and self.limits.budget_tokens is not None:
            tokens = self._uncounted()
        self.answers += 1
        self.spent_tokens += tokens

    def evidence_answered(self, slot: Slot, tokens: int, about_narrative: bool) -> None:
        """An evidence request was answered: the server is well."""
        if _take_one(self.in_flight, slot):
            self.servers[slot.server].evidence_answered(about_narrative)
        self.spent_tokens += tokens

    def evidence_failed(self, slot: Slot, now: float, failure: Failure) -> None:
        """An evidence request failed: it is the server's fault.

        A server that refuses everything is left out; without another one, that ends the run.
        """
        if _take_one(self.in_flight, slot) and self.servers[slot.server].evidence_failed(now, failure):
            self._leave_out(slot.server, failure.reason or failure.message)

    def failed(self, slot: Slot, now: float, failure: Failure) -> None:
        """A request was not answered."""
        if _take_one(self.in_flight, slot):
            self.servers[slot.server].failed(now, failure)

    def release(self, slot: Slot) -> None:
        """A slot comes back unused."""
        if _take_one(self.in_flight, slot):
            self.servers[slot.server].release()

    def granted(self, now: float) -> list[tuple[Wish, Slot]]:
        """The requests that may be sent now, each with the wish that it fulfils."""
        now_granted: list[tuple[Wish, Slot]] = []
        while self._waiting and self._may_grant(now) and (chosen := self._choose(now)) is not None:
            wish, slot = chosen
            _take_one(self._waiting, wish)
            self.in_flight[slot] += 1
            self.servers[slot.server].take(now)
            now_granted.append(chosen)
            if self.limits.requests_per_minute:
                self._next_by_rate = max(now, self._next_by_rate) + 60 / self.limits.requests_per_minute
        return now_granted

    def next_moment(self, now: float) -> float | None:
        """When `granted` may give more without any further event; None when only an event can."""
        if not self._waiting or self.stopped:
            return None
        moments = [max(server.next_moment(now) or now, self._next_by_rate) for server in self._in_use]
        later = [moment for moment in moments if moment > now]
        quiet_since = self._quiet_since
        if later and quiet_since is not None:
            return min(min(later), max(now, quiet_since + self.limits.give_up_after_s) + JUST_AFTER_S)
        return min(later, default=None)

    def check(self, now: float) -> None:
        """Stop the run when the servers have been given up, or the budget is spent."""
        if self.stopped:
            return
        quiet_since = self._quiet_since
        if quiet_since is not None and now - quiet_since >= self.limits.give_up_after_s:
            who = "the server has" if len(self.servers) == 1 else "the servers have"
            problems = ", ".join(dict.fromkeys(server.problem for server in self._in_use))
            self.stopped = (
                f"{who} not answered for {now - quiet_since:.0f} s (run.give_up_after_s): {problems}. "
                "Open narratives stay open. When it answers again, start the same command."
            )
        elif self._waiting and not self.in_flight.total() and self._over_budget(1):
            self.stopped = (
                f"the budget is reached: {self.spent_tokens:,} of {self.limits.budget_tokens:,} tokens "
                "(run.budget_tokens) are used. Raise it to continue."
            )

    @property
    def _in_use(self) -> list[ServerLimiter]:
        return [server for server in self.servers if not server.left_out]

    @property
    def _quiet_since(self) -> float | None:
        """Since when no server answered anything; None while one does."""
        since = [server.quiet_since for server in self._in_use]
        return None if not since or None in since else max(at for at in since if at is not None)

    def _choose(self, now: float) -> tuple[Wish, Slot] | None:
        """The wish of the oldest shard that can be fulfilled now, at the server with the most slots to spare."""
        able = sorted((limiter.load, server) for server, limiter in enumerate(self.servers) if limiter.may_take(now))
        chosen: tuple[Wish, Slot] | None = None
        for _, server in able:
            # Of two wishes of a shard, the one that no other server may be able to fulfil.
            wish = min(self._wishes_for(server), key=lambda each: (each.shard, not each.servers), default=None)
            if wish is not None and (chosen is None or wish.shard < chosen[0].shard):
                chosen = wish, Slot(wish.shard, server)
        return chosen

    def _wishes_for(self, server: int) -> Iterator[Wish]:
        for wish in self._waiting:
            # Who wants servers that are left out has to take another.
            if not wish.servers or server in wish.servers or all(self.servers[each].left_out for each in wish.servers):
                yield wish

    def _may_grant(self, now: float) -> bool:
        return not self.stopped and now >= self._next_by_rate and not self._over_budget(self.in_flight.total() + 1)

    def _over_budget(self, requests: int) -> bool:
        if self.limits.budget_tokens is None:
            return False
        mean = self.spent_tokens / self.answers if self.answers else 1
        return self.spent_tokens + requests * mean > self.limits.budget_tokens

    def _leave_out(self, server: int, reason: str) -> None:
        self.servers[server].left_out = reason
        if not self._in_use:
            self.stopped = self.stopped or f"{reason}. Open narratives stay open."

    def _uncounted(self) -> int:
        """Tokens of an answer whose tokens the server did not count: the mean of the others."""
        if not self.spent_tokens:
            self.stopped = self.stopped or (
                "the server does not report tokens, so run.budget_tokens cannot be enforced. Remove it from the "
                "params; you can limit a run with run.max_narratives instead"
            )
            return 0
        return round(self.spent_tokens / max(1, self.answers))


def _take_one(counts: Counter[_Counted], one: _Counted) -> bool:
    """One less of these; one of which nothing is left is not counted any more. Whether there was one."""
    if counts[one] > 1:
        counts[one] -= 1
        return True
    return counts.pop(one, None) is not None
