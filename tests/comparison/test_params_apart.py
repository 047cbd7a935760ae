from typing import Any

from narrative_runs.comparison.params_apart import ParamApart, lines_apart, params_apart
from narrative_runs.experiment import ExperimentState


def begun(source_md5: str = "a1", **sections: dict[str, Any]) -> ExperimentState:
    """An experiment with these params."""
    params = {"experiment": {"slug": "any", "name": "Any"}, "model": {"name": "fake", "api_url": "http://one"}}
    for section, values in sections.items():
        params[section] = {**params.get(section, {}), **values}
    return ExperimentState("id", source_md5, params, True, "2026-01-01 00:00:00")


def test_only_what_differs_is_told_frozen_first() -> None:
    """Each param that is not the same in all is told once, with all its values; what makes the answers comes first."""
    experiments = [
        begun(model={"temperature": 0.0}),
        begun(source_md5="b2", model={"temperature": 0.5, "api_url": "http://two"}),
        begun(model={"temperature": 0.0}),
    ]
    assert params_apart(experiments) == [
        ParamApart("model.temperature", True, (0.0, 0.5, 0.0)),
        ParamApart("source_md5", True, ("a1", "b2", "a1")),
        ParamApart("model.api_url", False, ("http://one", "http://two", "http://one")),
    ]


def test_a_param_that_one_of_them_does_not_have_differs() -> None:
    """A key that an older experiment did not know is missing there, and told."""
    row = ParamApart("model.logprobs", True, (None, True))
    assert params_apart([begun(), begun(model={"logprobs": True})]) == [row]


def test_the_slug_is_no_difference() -> None:
    """Experiments that differ in nothing but the folder they are in are told to be the same."""
    assert params_apart([begun(), begun(experiment={"slug": "another"})]) == []


def test_of_a_long_prompt_only_the_lines_that_differ_are_shown() -> None:
    """A diff names the line, and leaves out all that is the same."""
    before = "".join(f"Rule {number}.\n" for number in range(50))
    after = before.replace("Rule 30.", "Rule thirty.")
    assert lines_apart(before, after, 80) == ["line 31:", "- Rule 30.⏎", "+ Rule thirty.⏎"]


def test_of_a_long_line_the_part_around_the_first_difference_is_shown() -> None:
    """In two lines of a thousand characters the eye is led to the place, within the width."""
    before = "word " * 100 + "detected" + " word" * 100
    after = "word " * 100 + "found" + " word" * 100
    (where, first, other) = lines_apart(before, after, 60)
    assert where == "line 1:"
    assert "word detected word" in first and "word found word" in other
    assert first.startswith("- …") and first.endswith("…") and len(first) <= 60


def test_a_difference_at_the_very_end_is_shown() -> None:
    """A line end that only one of two texts has, or a blank, can make other answers, and is seen."""
    assert lines_apart("x" * 100 + "\n", "x" * 100, 40) == ["line 1:", "- …" + "x" * 36 + "⏎", "+ …" + "x" * 37]


def test_a_wholly_different_prompt_is_told_shortly() -> None:
    """A diff has a dozen lines at most, and says how many more there are."""
    lines = lines_apart("a\n" * 30, "b\n" * 30, 80)
    assert len(lines) == 13
    assert lines[-1] == "… and 49 more lines"


def test_lines_of_one_text_alone_are_shown() -> None:
    """What was added stands with a plus, what was left out with a minus."""
    assert lines_apart("a\nb\n", "a\nb\nc\n", 80) == ["line 3:", "+ c⏎"]
    assert lines_apart("a\nb\n", "b\n", 80) == ["line 1:", "- a⏎"]
