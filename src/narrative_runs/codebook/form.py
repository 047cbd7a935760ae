"""The codebook in words: what stands in a prompt instead of its mark."""

import json
from collections.abc import Iterator, Sequence

from narrative_runs.codebook.schema import is_nullable
from narrative_runs.codebook.texts import number_written
from narrative_runs.codebook.variables import (
    UNCLEAR_VALUE,
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


def in_words(codebook: Codebook) -> str:
    """The definitions of all variables and, behind them, the form of the answer, as a prompt gives them."""
    lines = ["Variables:"]
    for name, variable in codebook.variables.items():
        lines += _described(name, variable, codebook)
    return "\n".join([*lines, "", "Answer with one JSON object of this form, and with nothing else:", form(codebook)])


def form(codebook: Codebook) -> str:
    """The form of the answer: an object with all keys, and with what belongs to each in the place of its value."""
    entries: list[str] = []
    for name, variable in codebook.variables.items():
        entries.append(f'  "{name}": {_blank_form(variable)}')
        if variable.confidence:
            or_null = " or null" if variable.only_if else ""
            entries.append(f'  "{confidence_key(name)}": <number from 0 to 1{or_null}>')
    return "{\n" + ",\n".join(entries) + "\n}"


def _described(name: str, variable: Variable, codebook: Codebook) -> Iterator[str]:
    definition = " ".join(variable.definition.split())
    yield f"- {name} ({_kind(variable)})" + (f": {definition}" if definition else "")
    examples = variable.examples if isinstance(variable.examples, dict) else {}
    meanings = variable.values if isinstance(variable, Category | Ordinal | Multi) else {}
    for value, meaning in meanings.items():
        said = " ".join(meaning.split())
        yield f"  - {_json(value)}" + (f": {said}" if said else "") + _examples(examples.get(value, []))
    for value, texts in examples.items():
        if value not in meanings:
            shown = _shown(variable, value)
            yield f"  {'Example' if len(texts) == 1 else 'Examples'} of {shown}: {_listed(texts)}"
    if isinstance(variable.examples, list) and variable.examples:
        yield f"  {'Example' if len(variable.examples) == 1 else 'Examples'}: {_listed(variable.examples)}"
    if variable.only_if:
        conditions = " and ".join(
            _condition(on, codebook.variables[on], values) for on, values in variable.only_if.items()
        )
        yield f"  Only if {conditions}; otherwise null."
    if nothing := _if_it_does_not_say(variable):
        yield f"  {nothing}"
    if variable.confidence:
        yield f"  In {confidence_key(name)}: how sure you are of this answer, from 0 to 1."


def _kind(variable: Variable) -> str:
    match variable:
        case Binary():
            return "true or false"
        case Category():
            return "one of these values"
        case Ordinal():
            return "one of these values, from the lowest to the highest"
        case Multi():
            return "a list of all of these values that apply; [] if none does"
        case Number():
            return _number_kind(variable)
        case Quote():
            return "a list of passages, each copied from the narrative word for word; [] if there is none"
        case Text(many=True):
            return "a list of short texts; [] if there is none"
        case _:
            return "a text"


def _number_kind(variable: Number) -> str:
    match variable.minimum, variable.maximum:
        case None, None:
            return "number"
        case float(low), None:
            return f"number, {number_written(low)} or more"
        case None, float(high):
            return f"number, at most {number_written(high)}"
        case _:
            assert variable.minimum is not None and variable.maximum is not None
            return f"number from {number_written(variable.minimum)} to {number_written(variable.maximum)}"


def _if_it_does_not_say(variable: Variable) -> str:
    """What to write where the text does not tell; a list of texts or passages is empty then."""
    if variable.unclear == "no":
        return "If the narrative does not say: false."
    if variable.unclear == "error" or isinstance(variable, Quote) or (isinstance(variable, Text) and variable.many):
        return ""
    return "If the narrative does not say: null."


def _blank_form(variable: Variable) -> str:
    has_null = is_nullable(variable) and (variable.unclear != "no" or bool(variable.only_if))
    or_null = " or null" if has_null else ""
    match variable:
        case Binary():
            return f"true or false{or_null}"
        case Category() | Ordinal():
            return " | ".join([*map(_json, variable.values), *(["null"] if has_null else [])])
        case Multi():
            return f"[{' | '.join(map(_json, variable.values))}, ...]"
        case Number():
            return f"<{_number_kind(variable)}{or_null}>"
        case Quote():
            return '["<passage of the narrative>", ...]'
        case Text(many=True):
            return '["<text>", ...]'
        case _:
            return f'"<text{or_null}>"'


def _condition(name: str, variable: Variable, values: Sequence[str]) -> str:
    verb = "includes" if isinstance(variable, Multi) else "is"
    return f"{name} {verb} {' or '.join(_shown(variable, value) for value in values)}"


def _shown(variable: Variable, value: str) -> str:
    """A value as the model is to write it."""
    if value == UNCLEAR_VALUE and value not in variable.value_names:
        return "null"
    if isinstance(variable, Binary):
        return {"yes": "true", "no": "false"}[value]
    return value if isinstance(variable, Number) else _json(value)


def _examples(texts: Sequence[str]) -> str:
    return f" (such as: {_listed(texts)})" if texts else ""


def _listed(texts: Sequence[str]) -> str:
    return "; ".join(_json(" ".join(text.split())) for text in texts)


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
