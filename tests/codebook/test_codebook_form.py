import json
import re

from narrative_runs.codebook.form import form, in_words
from narrative_runs.codebook.values import is_form, read_values
from narrative_runs.codebook.variables import Codebook

BOOK = Codebook.model_validate(
    {
        "variables": {
            "detected": {
                "type": "binary",
                "definition": "Violence by\na partner.",
                "confidence": True,
                "unclear": "no",
            },
            "weapon": {
                "type": "category",
                "values": {"firearm": "Any gun", "other": ""},
                "examples": {"firearm": "shot", "unclear": ["hurt", "harmed"]},
                "only_if": {"detected": "yes"},
            },
            "severity": {"type": "ordinal", "values": ["none", "injury"], "unclear": "error"},
            "relation": {"type": "multi", "values": ["partner", "family"], "only_if": {"weapon": ["firearm", "other"]}},
            "age": {"type": "number", "minimum": 0, "maximum": 120},
            "count": {"type": "number", "minimum": 1, "unclear": "error"},
            "year": {"type": "number", "maximum": 2030.5},
            "size": {"type": "number"},
            "evidence": {"type": "quote", "examples": ["he hit her"]},
            "reasons": {"type": "text", "many": True},
            "summary": {"type": "text", "only_if": {"relation": "partner"}},
        }
    }
)


def test_the_words_of_a_codebook() -> None:
    """All that a person would have to know stands there: definitions, values, conditions, and the form."""
    assert in_words(BOOK).splitlines() == [
        "Variables:",
        "- detected (true or false): Violence by a partner.",
        "  If the narrative does not say: false.",
        "  In confidence: how sure you are of this answer, from 0 to 1.",
        "- weapon (one of these values)",
        '  - "firearm": Any gun (such as: "shot")',
        '  - "other"',
        '  Examples of null: "hurt"; "harmed"',
        "  Only if detected is true; otherwise null.",
        "  If the narrative does not say: null.",
        "- severity (one of these values, from the lowest to the highest)",
        '  - "none"',
        '  - "injury"',
        "- relation (a list of all of these values that apply; [] if none does)",
        '  - "partner"',
        '  - "family"',
        '  Only if weapon is "firearm" or "other"; otherwise null.',
        "  If the narrative does not say: null.",
        "- age (number from 0 to 120)",
        "  If the narrative does not say: null.",
        "- count (number, 1 or more)",
        "- year (number, at most 2030.5)",
        "  If the narrative does not say: null.",
        "- size (number)",
        "  If the narrative does not say: null.",
        "- evidence (a list of passages, each copied from the narrative word for word; [] if there is none)",
        '  Example: "he hit her"',
        "- reasons (a list of short texts; [] if there is none)",
        "- summary (a text)",
        '  Only if relation includes "partner"; otherwise null.',
        "  If the narrative does not say: null.",
        "",
        "Answer with one JSON object of this form, and with nothing else:",
        *form(BOOK).splitlines(),
    ]


def entries(text: str) -> dict[str, str]:
    """What the form has in the place of each value."""
    return {match[1]: match[2] for match in re.finditer(r'^  "(\w+)": (.*?),?$', text, re.MULTILINE)}


def test_the_form_has_each_key_in_the_order_of_the_schema() -> None:
    """A confidence stands behind its variable."""
    assert list(entries(form(BOOK)))[:3] == ["detected", "confidence", "weapon"]
    assert len(entries(form(BOOK))) == len(BOOK.names) + 1


def test_a_form_that_is_said_back_is_no_answer() -> None:
    """Whatever the form has in the place of a value is known as such, bare or as a text of its own."""
    for entry in entries(form(BOOK)).values():
        bare = entry.strip("[]").removesuffix(", ...")
        unquoted = bare.replace('"', "")
        assert is_form(unquoted) and is_form([unquoted]), entry
        assert is_form(bare) or bare == f'"{unquoted}"', entry


def test_a_form_that_is_said_back_gives_no_value() -> None:
    """Read as an answer, it is an error in each variable that could be an anchor."""
    said_back = {key: entry.strip('"') for key, entry in entries(form(BOOK)).items()}
    values = read_values(BOOK, json.loads(json.dumps(said_back)))
    assert all(values[name].is_error for name in BOOK.anchors)
