from narrative_runs.error_patterns.outcomes import ErrorKind, Outcomes
from narrative_runs.observation.error_patterns import ErrorPatterns

FAULT = ErrorKind("api_error", "HTTP 500")


def put(outcomes: Outcomes, narratives: range, error: ErrorKind | None = None) -> None:
    """Give these narratives, which are dealt into ten shards, a result."""
    for number in narratives:
        outcomes.put(number, 100, f"{number % 10}", "", "", "2026-01-01 00:00:00", error)


def test_a_pattern_is_told_once_and_kept_up_to_date() -> None:
    """The errors of a shard are told when there are ten, not again when there are more, and counted at each look."""
    outcomes, patterns = Outcomes(), ErrorPatterns(lambda pattern: f"{pattern.value}: {pattern.n_errors}")
    put(outcomes, range(1, 401))
    put(outcomes, range(3, 93, 10), FAULT)
    assert patterns.look(outcomes) == []
    put(outcomes, range(93, 103, 10), FAULT)
    assert patterns.look(outcomes) == ["3: 10"]
    put(outcomes, range(103, 193, 10), FAULT)
    assert patterns.look(outcomes) == [] and patterns.with_sentences[0][1] == "3: 10"
    put(outcomes, range(193, 203, 10), FAULT)
    assert patterns.look(outcomes) == [] and patterns.with_sentences[0][1] == "3: 20"


def test_another_pattern_is_told_too() -> None:
    """A second shard that begins to fail is told by itself."""
    outcomes, patterns = Outcomes(), ErrorPatterns(lambda pattern: f"{pattern.dimension} {pattern.value}")
    put(outcomes, range(1, 401))
    put(outcomes, range(3, 103, 10), FAULT)
    assert patterns.look(outcomes) == ["shard 3"]
    put(outcomes, range(7, 207, 10), FAULT)
    assert patterns.look(outcomes) == ["shard 7"]


def test_the_end_is_looked_at_in_any_case() -> None:
    """At the end of a session what has come since the last look is searched, and what is answered by now is gone."""
    outcomes, patterns = Outcomes(), ErrorPatterns(lambda pattern: pattern.value)
    put(outcomes, range(1, 401))
    put(outcomes, range(3, 153, 10), FAULT)
    assert patterns.look(outcomes) == ["3"]
    put(outcomes, range(3, 153, 10))
    assert patterns.look(outcomes, is_at_the_end=True) == [] and patterns.with_sentences == []
