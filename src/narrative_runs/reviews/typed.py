"""The text that a reviewer typed into a cell, as a value of the variable."""

from narrative_runs.codebook.labels import NotALabel, label_of
from narrative_runs.codebook.matching import value_like
from narrative_runs.codebook.texts import written
from narrative_runs.codebook.values import UNCLEAR
from narrative_runs.codebook.variables import Binary, Multi, Quote, Text, Variable
from narrative_runs.source.cells import Unreadable

_WORDS = {"x": True, "positive": True, "pos": True, "negative": False, "neg": False}


def verdict_typed(variable: Variable, cell: object) -> str | None:
    """The verdict in a cell as the text of a value, or `unclear`; None for a blank cell, which is no verdict.

    Raises:
        NotALabel: the cell holds something else; the message says what it should be.
    """
    if isinstance(cell, Unreadable):
        raise NotALabel(f"it is one of the {cell.problem}")
    word = cell.strip().casefold() if isinstance(cell, str) else None
    is_text = isinstance(variable, Quote | Text)
    own = None if word is None or is_text else value_like(word, variable.value_names)
    if not is_text and own is None:
        if word == UNCLEAR:
            return UNCLEAR
        if isinstance(variable, Binary) and word in _WORDS:
            return written(_WORDS[word])
        if isinstance(variable, Multi) and word == "none":
            return written(())
    try:
        label = label_of(variable, cell)
    except NotALabel as error:
        raise NotALabel(f"{error}; if the text does not say, give {UNCLEAR}") from None
    return None if label is None else written(label)


def as_value(variable: Variable, text: str) -> str | None:
    """The value that a sheet shows as this text, such as TRUE, as the text of a value; the text itself where it is
    none."""
    try:
        return verdict_typed(variable, text)
    except NotALabel:
        return text
