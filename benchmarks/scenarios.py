"""The runs that are measured, and what each must reach."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measured import Measured


@dataclass(frozen=True)
class Scenario:
    """One run from workbook to metrics.json.

    latency_s: mean seconds the server takes for an answer; sigma: their log-normal spread; big: only run when asked
    for; with_bare_loop: whether a bare loop asks the same too.
    """

    name: str
    narratives: int
    slots: int
    goals: tuple["Goal", ...]
    latency_s: float = 0.0
    sigma: float = 0.0
    big: bool = False
    with_bare_loop: bool = False

    @property
    def ideal_s(self) -> float:
        """Seconds that the server needs with all slots busy."""
        return self.narratives * self.latency_s / self.slots


@dataclass(frozen=True)
class Outcome:
    """What was measured of one scenario, of the bare loop too where one ran; `pace` is what the server counted, as its
    GET /pace tells it."""

    scenario: Scenario
    ours: Measured
    pace: dict[str, float]
    bare: Measured | None
    bare_pace: dict[str, float] | None

    @property
    def utilisation(self) -> float:
        """Share of slot time, between first request and last reply, in which the slots were busy."""
        return self._utilisation_of(self.pace)

    @property
    def bare_utilisation(self) -> float:
        """The same of the bare loop; NaN where there was none."""
        return self._utilisation_of(self.bare_pace) if self.bare_pace else float("nan")

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds of all our processes for each narrative."""
        return 1000 * self.ours.cpu_s / self.scenario.narratives

    def peak_mb(self, *kinds: str) -> float:
        """Peak memory of the largest process of these kinds, of all kinds when none is named; NaN if not seen."""
        found = [kind.peak_mb for name, kind in self.ours.kinds.items() if name in kinds or not kinds]
        return max(found, default=float("nan"))

    def _utilisation_of(self, pace: dict[str, float]) -> float:
        return pace["busy_seconds"] / (self.scenario.slots * (pace["last_at"] - pace["first_at"]))

    def to_bare(self, of: Callable[[Measured], float]) -> float:
        """Ours to the bare loop's; NaN where there was none."""
        return of(self.ours) / of(self.bare) if self.bare else float("nan")


@dataclass(frozen=True)
class Goal:
    """A measure and its bound: at most `limit`, or at least when `at_least`."""

    name: str
    of: Callable[[Outcome], float]
    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether this value reaches the goal."""
        return value >= self.limit if self.at_least else value <= self.limit


def _wall(seconds: float) -> Goal:
    return Goal("wall, s", lambda outcome: outcome.ours.wall_s, seconds)


def _ratio(limit: float) -> Goal:
    return Goal("wall to ideal", lambda outcome: outcome.ours.wall_s / outcome.scenario.ideal_s, limit)


def _utilisation(limit: float) -> Goal:
    return Goal("slot utilisation", lambda outcome: outcome.utilisation, limit, at_least=True)


SCENARIOS = (
    Scenario("instant-500", 500, 16, (_wall(15),)),
    Scenario("latency-2000", 2000, 16, (_ratio(1.2), _utilisation(0.985)), latency_s=0.2, with_bare_loop=True),
    Scenario("many-slots-2000", 2000, 64, (_ratio(4.5), _utilisation(0.93)), latency_s=0.05, with_bare_loop=True),
    Scenario("lognormal-2000", 2000, 16, (_utilisation(0.93),), latency_s=0.2, sigma=0.8),
    Scenario(
        "instant-35000",
        35_000,
        32,
        (
            _wall(90),
            Goal("peak of any process, MB", lambda outcome: outcome.peak_mb(), 500),
            Goal("peak of the coordinator, MB", lambda outcome: outcome.peak_mb("coordinator"), 200),
        ),
        big=True,
    ),
    Scenario(
        "latency-35000",
        35_000,
        32,
        (
            _ratio(1.06),
            Goal("CPU a narrative, ms", lambda outcome: outcome.cpu_ms, 0.5),
            Goal("CPU to the bare loop's", lambda outcome: outcome.to_bare(lambda run: run.cpu_s), 1.5),
        ),
        latency_s=0.1,
        big=True,
        with_bare_loop=True,
    ),
)
