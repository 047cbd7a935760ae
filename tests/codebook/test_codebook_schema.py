import json

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.schema import schema
from narrative_runs.codebook.variables import Codebook

BEFORE_CODEBOOKS = {
    "type": "object",
    "properties": {
        "detected": {"type": "boolean"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "indicators": {"type": "array", "items": {"type": "string"}},
        "rationale": {"type": "string"},
    },
    "required": ["detected", "confidence", "indicators", "rationale"],
    "additionalProperties": False,
}


def test_the_usual_schema_is_as_it_was() -> None:
    """Letter for letter, so that no fingerprint of an experiment changes."""
    assert json.dumps(schema(DEFAULT)) == json.dumps(BEFORE_CODEBOOKS)


def test_each_type_has_its_form_in_the_schema() -> None:
    """All seven types, with null where the text may not tell, or where a variable may not be asked for."""
    book = Codebook.model_validate(
        {
            "variables": {
                "a": {"type": "binary", "confidence": True},
                "b": {"type": "category", "values": {"x": "X", "y": "Y"}, "definition": "Not in the schema."},
                "c": {"type": "ordinal", "values": ["1", "2"], "unclear": "error"},
                "d": {
                    "type": "multi",
                    "values": ["x"],
                    "only_if": {"a": "yes"},
                    "unclear": "error",
                    "confidence": True,
                },
                "e": {"type": "number", "minimum": 0, "maximum": 1.5},
                "f": {"type": "quote"},
                "g": {"type": "text"},
                "h": {"type": "text", "many": True, "unclear": "error"},
                "i": {"type": "number", "unclear": "error"},
            }
        }
    )
    made = schema(book)
    assert made["properties"] == {
        "a": {"type": ["boolean", "null"]},
        "a_confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "b": {"type": ["string", "null"], "enum": ["x", "y", None]},
        "c": {"type": "string", "enum": ["1", "2"]},
        "d": {"type": ["array", "null"], "items": {"type": "string", "enum": ["x"]}},
        "d_confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "e": {"type": ["number", "null"], "minimum": 0, "maximum": 1.5},
        "f": {"type": ["array", "null"], "items": {"type": "string"}},
        "g": {"type": ["string", "null"]},
        "h": {"type": "array", "items": {"type": "string"}},
        "i": {"type": "number"},
    }
    assert list(made["properties"]) == made["required"]
    assert made["required"][:4] == ["a", "a_confidence", "b", "c"]
    assert "Not in the schema" not in json.dumps(made)
