"""The form of the answer as a JSON schema, for servers that take one."""

from typing import Any

from narrative_runs.codebook.texts import plain_number
from narrative_runs.codebook.variables import (
    Binary,
    Category,
    Codebook,
    Multi,
    Number,
    Ordinal,
    Quote,
    Text,
    Variable,
    confidence_key,
)


def schema(codebook: Codebook) -> dict[str, Any]:
    """The JSON schema of an answer: all variables in their order, each with its confidence behind it.

    It holds no definitions: these stand in the prompt, and another wording of them makes no other schema.
    """
    properties: dict[str, Any] = {}
    for name, variable in codebook.variables.items():
        properties[name] = _property(variable)
        if variable.confidence:
            properties[confidence_key(name)] = {
                "type": ["number", "null"] if variable.only_if else "number",
                "minimum": 0,
                "maximum": 1,
            }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def is_nullable(variable: Variable) -> bool:
    """Whether the model may write null for it."""
    return variable.unclear != "error" or bool(variable.only_if)


def _property(variable: Variable) -> dict[str, Any]:
    may_be_null = is_nullable(variable)

    def typed(name: str) -> dict[str, Any]:
        return {"type": [name, "null"] if may_be_null else name}

    match variable:
        case Binary():
            return typed("boolean")
        case Category() | Ordinal():
            return {**typed("string"), "enum": [*variable.values, None] if may_be_null else [*variable.values]}
        case Multi():
            return {**typed("array"), "items": {"type": "string", "enum": [*variable.values]}}
        case Number():
            bounds = {"minimum": variable.minimum, "maximum": variable.maximum}
            given = {key: plain_number(bound) for key, bound in bounds.items() if bound is not None}
            return {**typed("number"), **given}
        case Text(many=False):
            return typed("string")
        case Quote() | Text():
            return {**typed("array"), "items": {"type": "string"}}
    raise TypeError(variable.type)
