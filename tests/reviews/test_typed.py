from typing import Any

import pytest

from narrative_runs.codebook.labels import NotALabel
from narrative_runs.codebook.variables import Binary, Category, Multi, Number, Ordinal, Quote, Text, Variable
from narrative_runs.reviews.typed import verdict_typed
from narrative_runs.source.cells import EXCEL_ERROR, NO_VALUE

VALUES = {"gun": "", "knife, or sharp": "", "x": ""}
CATEGORY, MULTI = Category(values=VALUES), Multi(values={"partner": "", "family": ""})


@pytest.mark.parametrize(
    ("variable", "cell", "verdict"),
    [
        *((Binary(), cell, "yes") for cell in (1, 1.0, "1", True, "TRUE", "yes", " Y ", "x", "X", "Positive", "pos")),
        *((Binary(), cell, "no") for cell in (0, "0", 0.0, False, "No", "n", "negative", "FALSE")),
        *((variable, "Unclear ", "unclear") for variable in (Binary(), CATEGORY, MULTI, Number())),
        *(
            (variable, cell, None)
            for variable in (Binary(), CATEGORY, MULTI, Number(), Text())
            for cell in (None, "", "  ")
        ),
        (CATEGORY, "GUN", "gun"),
        (CATEGORY, "knife, or  sharp", "knife, or sharp"),
        (CATEGORY, "X", "x"),
        (Ordinal(values={"1": "", "2": ""}), 2.0, "2"),
        (MULTI, "family; partner", '["partner", "family"]'),
        (MULTI, "Partner", '["partner"]'),
        (MULTI, "none", "[]"),
        (Number(), "34", "34"),
        (Number(), 34.5, "34.5"),
        (Quote(), "He hit her.", "He hit her."),
        (Text(), "unclear", "unclear"),
    ],
)
def test_what_people_type_is_read(variable: Variable, cell: Any, verdict: str | None) -> None:
    """A cell is read as its writer meant it, a blank one is no verdict."""
    assert verdict_typed(variable, cell) == verdict


@pytest.mark.parametrize(
    ("variable", "cell"),
    [
        *((Binary(), cell) for cell in ("perhaps", "?", 2, "yes/no", EXCEL_ERROR, NO_VALUE)),
        *((CATEGORY, cell) for cell in ("rope", 1, "none")),
        *((MULTI, cell) for cell in ("partner; nobody",)),
        *((Number(), cell) for cell in ("forty", "3-4", True)),
    ],
)
def test_what_could_mean_anything_is_not_read(variable: Variable, cell: Any) -> None:
    """What is none of the values is refused, and never guessed at."""
    with pytest.raises(NotALabel):
        verdict_typed(variable, cell)


@pytest.mark.parametrize("variable", [Binary(), CATEGORY, MULTI, Number()])
def test_a_refusal_names_unclear(variable: Variable) -> None:
    """Where a verdict cannot be read the message names `unclear` too, which a reviewer may give of these types."""
    with pytest.raises(NotALabel, match="if the text does not say, give unclear"):
        verdict_typed(variable, "perhaps; nobody")
