from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.values import Value, read_values


def test_the_usual_answer_is_read_as_before() -> None:
    """A whole answer gives its four values."""
    answer = {"detected": True, "confidence": "85%", "indicators": ["a", 1], "rationale": "why"}
    assert read_values(DEFAULT, answer) == {
        "detected": Value(True, confidence=0.85),
        "indicators": Value(("a", "1")),
        "rationale": Value("why"),
    }


def test_the_usual_answer_may_lack_its_texts() -> None:
    """Without reasons a decision is still an answer, with an empty list and no rationale."""
    for answer in ({"Detected": "no"}, {"detected": False, "indicators": None, "rationale": None}):
        assert read_values(DEFAULT, answer) == {
            "detected": Value(False),
            "indicators": Value(()),
            "rationale": Value(None),
        }


def test_the_usual_answer_must_have_its_decision() -> None:
    """Null is no decision, and the indicators are a list or a text."""
    values = read_values(DEFAULT, {"detected": None, "indicators": {"a": 1}, "rationale": {"a": 1}})
    assert values["detected"] == Value(None, "`detected` is neither true nor false", is_error=True)
    assert values["indicators"] == Value(None, "`indicators` is not a list", is_error=True)
    assert values["rationale"] == Value('{"a": 1}')
