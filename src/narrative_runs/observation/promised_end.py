"""Whether a run will end much later than its user expects: pure arithmetic on times."""

SLIPS_BY = 0.25
# An estimate that is younger, or rests on less, is none to count on.
TRUSTED_AFTER_S = 300.0
TRUSTED_NARRATIVES = 100
# Longer than the rate of the last minutes is too low after a short pause of the server.
LASTS_S = 600.0


class PromisedEnd:
    """The end of the run that its user counts on: the first estimate that can be trusted, and after a slip the new one.

    Times are seconds of a clock that runs on while the machine sleeps: the user waits meanwhile.
    """

    def __init__(
        self, trusted_after_s: float = TRUSTED_AFTER_S, narratives: int = TRUSTED_NARRATIVES, lasts_s: float = LASTS_S
    ) -> None:
        """trusted_after_s, narratives: of the session, before an estimate is trusted; lasts_s: how long an estimate has
        to be a quarter worse before that is taken for true."""
        self._trusted_after_s = trusted_after_s
        self._narratives = narratives
        self._lasts_s = lasts_s
        self._first_at: float | None = None
        self._promise: tuple[float, float] | None = None
        self._left = 0.0
        self._slips_since: float | None = None

    def see(self, now: float, seconds_left: float | None, done: int) -> tuple[float, float] | None:
        """Take in an estimate; returns the end that was promised and the one to expect now, if it slips.

        seconds_left: None while nobody can say, as when no answer comes; done: narratives of this session.
        """
        if self._promise is None:
            self._promise_if_trusted(now, seconds_left, done)
            return None
        promised, was_left = self._promise
        # While nothing comes, as much is left as before.
        left = self._left if seconds_left is None else seconds_left
        if now + left <= promised + SLIPS_BY * was_left:
            self._left, self._slips_since = left, None
            return None
        if self._slips_since is None:
            self._slips_since = now
        if now - self._slips_since < self._lasts_s:
            return None
        self._promise_from(now, left)
        return promised, now + left

    def _promise_if_trusted(self, now: float, seconds_left: float | None, done: int) -> None:
        if not seconds_left:
            return
        if self._first_at is None:
            self._first_at = now
        if now - self._first_at >= self._trusted_after_s and done >= self._narratives:
            self._promise_from(now, seconds_left)

    def _promise_from(self, now: float, left: float) -> None:
        self._promise, self._left, self._slips_since = (now + left, left), left, None
