from typing import Any

import pytest

from narrative_runs.codebook.variables import Codebook
from narrative_runs.codebook.yaml_text import as_typed, codebook_of, line_of
from narrative_runs.errors import ParamsError

FILE = """\
experiment: {name: x}
codebook:
  variables:
    detected: {type: binary, label: manual_flag_ind}
    weapon:
      type: category
      values:
        no: Not used
        1.0:
        2020-01-01: A date
      label: null
    level: {type: ordinal, values: [null, yes, 010, ~]}
"""


def book(text: str, reserved: tuple[str, ...] = ()) -> Codebook:
    return codebook_of(as_typed(text, "codebook"), "params.yaml", text, reserved, ["codebook"])


def problems(text: str, reserved: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ParamsError) as error:
        book(text, reserved)
    first, *lines = str(error.value).splitlines()
    assert first == "params.yaml cannot be used:"
    assert all(line.startswith("  ") for line in lines)
    return [line.strip() for line in lines]


def test_values_are_the_texts_that_were_typed() -> None:
    """Neither a logical, nor a number, nor a date, nor null is made of a value."""
    variables = book(FILE).variables
    assert variables["weapon"].value_names == ("no", "1.0", "2020-01-01")
    assert variables["weapon"].label is None
    assert variables["level"].value_names == ("null", "yes", "010", "~")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("a: null", {"a": None}),
        ('a: "null"', {"a": "null"}),
        ("a: ''", {"a": ""}),
        ("a: [~, null, ]", {"a": ["~", "null"]}),
        ("null: 1", {"null": "1"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": "1"}, "c": {"b": "1"}}),
        ("a: &x {b: 1, d: 2}\nc: {<<: *x, b: 3}", {"a": {"b": "1", "d": "2"}, "c": {"b": "3", "d": "2"}}),
        (
            "a: &x {b: 1}\nd: &y {b: 2, e: 5}\nc: {<<: [*x, *y]}",
            {"a": {"b": "1"}, "d": {"b": "2", "e": "5"}, "c": {"b": "1", "e": "5"}},
        ),
        ("", None),
    ],
)
def test_yaml_as_typed(text: str, value: Any) -> None:
    """Settings may be blank, items are texts, and anchors and merges work."""
    assert as_typed(text) == value


def test_a_part_of_a_document() -> None:
    """Keys lead to a part; where they lead nowhere, there is nothing."""
    assert as_typed(FILE, "codebook", "variables", "weapon", "values", "no") == "Not used"
    assert as_typed(FILE, "codebook", "variables", "level", "values", "2") == "010"
    assert as_typed(FILE, "results") is None


def test_lines_of_keys() -> None:
    """Each key has the line where it stands."""
    assert line_of(FILE, "codebook") == 2
    assert line_of(FILE, "codebook", "variables", "weapon", "values", "1.0") == 9
    assert line_of(FILE, "codebook", "variables", "absent") is None
    assert line_of("a: [", "a") is None


def test_what_would_fill_the_memory_is_refused() -> None:
    """Aliases of aliases, and a part that holds itself."""
    bomb = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))])
    for text in (bomb, "a: &x {b: *x}", "a: &x [*x]"):
        with pytest.raises(ParamsError, match="fill the memory"):
            as_typed(text)


def test_a_text_that_is_no_yaml_is_refused() -> None:
    """With its line."""
    with pytest.raises(ParamsError, match="not valid YAML, line 2"):
        as_typed("a: 1\nb: [")


def test_merges_that_go_around_end() -> None:
    """A mapping that is merged into itself has the keys that stand there."""
    assert as_typed("a: &x {b: 1, <<: *x}") == {"a": {"b": "1"}}


def test_each_problem_is_named_with_its_key_and_line() -> None:
    """All of them at once, with what can be done."""
    text = """\
codebook:
  variables:
    detected: {type: binary, labl: x}
    weapon:
      type: categorie
    kind:
      values: [a, A]
      type: category
    size: {type: number, minimum: few}
    text: hello
    lacking: {definition: x}
    none: {type: multi}
"""
    assert problems(text) == [
        "codebook.variables.detected.labl (line 3): unknown key. A variable of type binary knows: type, label, "
        "definition, examples, only_if, unclear, confidence.",
        "codebook.variables.weapon.type (line 5): 'categorie' is not a type. The types are: binary, category, ordinal, "
        "multi, number, quote, text.",
        "codebook.variables.kind.values (line 7): 'a' and 'A' are the same value: case and white space make no "
        "difference.",
        "codebook.variables.size.minimum (line 9): give a number, such as 0 or 1.5.",
        "codebook.variables.text (line 10): give a mapping, such as {type: binary}.",
        "codebook.variables.lacking.type (line 11): missing. The types are: binary, category, ordinal, multi, number, "
        "quote, text.",
        "codebook.variables.none.values (line 12): missing.",
    ]


def test_problems_between_variables_have_their_lines() -> None:
    """Conditions and names are looked at when each variable is right by itself."""
    text = """\
codebook:
  variables:
    year: {type: text}
    a:
      type: binary
      only_if:
        b: maybe
    b: {type: binary}
    P: {type: text}
"""
    assert problems(text) == [
        "codebook.variables.P (line 9): a name consists of lower-case letters, digits and underscores, starts "
        "with a letter and has at most 40 characters.",
        "codebook.variables.a.only_if.b (line 7): 'maybe' is none of its values, which are: yes, no.",
    ]
    assert problems("codebook:\n  variables:\n    year: {type: text}\n", ("Year",)) == [
        "codebook.variables.year (line 3): the results have a column year of their own. Choose another name."
    ]


def test_a_key_that_is_given_twice_is_refused() -> None:
    """YAML would take the second one and say nothing."""
    text = "codebook:\n  variables:\n    a: {type: text}\n    b: {type: text}\n    a: {type: binary}\n"
    assert problems(text) == ["codebook.variables.a (line 5): it appears twice, in lines 3 and 5."]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("codebook:\n", "codebook (line 1): give a mapping with the key `variables`."),
        ("codebook: {}\n", "codebook.variables (line 1): missing."),
        ("codebook:\n  variables:\n", "codebook.variables (line 2): give a mapping of variables."),
        ("codebook:\n  variables: {}\n", "codebook.variables (line 2): it has no variables. Name at least one."),
    ],
)
def test_an_empty_codebook_is_refused(text: str, problem: str) -> None:
    """Whatever is left out is named."""
    assert problems(text) == [problem]


def test_a_file_of_its_own_has_its_keys_at_the_top() -> None:
    """Without `within`, the codebook is the whole document."""
    text = "variables:\n  a: {type: texte}\n"
    with pytest.raises(ParamsError, match=r"book\.yaml cannot be used:\n  variables\.a\.type \(line 2\)"):
        codebook_of(as_typed(text), "book.yaml", text, (), [])
