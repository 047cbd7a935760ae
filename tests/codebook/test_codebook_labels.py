from datetime import datetime
from decimal import Decimal

import numpy as np
import pytest

from narrative_runs.codebook.labels import Label, NotALabel, columns_of, incident_column, incident_label, label_of
from narrative_runs.codebook.variables import Binary, Category, Multi, Number, Ordinal, Quote, Text, Variable

WEAPON = Category(values={"firearm": "", "sharp object": "", "other": ""})
LEVEL = Ordinal(values={"0": "", "1": "", "2": ""})
RELATIONS = Multi(values={"partner": "", "family": "", "friend, close": ""})


@pytest.mark.parametrize(
    ("variable", "cell", "label"),
    [
        (Binary(), 1, True),
        (Binary(), 0.0, False),
        (Binary(), " Yes ", True),
        (Binary(), "N", False),
        (Binary(), "1.0", True),
        (Binary(), True, True),
        (Binary(), np.int64(1), True),
        (Binary(), np.bool_(False), False),
        (Binary(), "NA", None),
        (WEAPON, "Sharp_Object", "sharp object"),
        (WEAPON, " ", None),
        (WEAPON, float("nan"), None),
        (WEAPON, None, None),
        (Category(values={"na": "", "x": ""}), "NA", "na"),
        (LEVEL, 1, "1"),
        (LEVEL, 1.0, "1"),
        (LEVEL, "1.0", "1"),
        (LEVEL, Decimal("2"), "2"),
        (RELATIONS, "Family; partner", ("partner", "family")),
        (RELATIONS, "family,partner", ("partner", "family")),
        (RELATIONS, "friend, close", ("friend, close",)),
        (RELATIONS, "friend, close | partner|", ("partner", "friend, close")),
        (RELATIONS, "[]", ()),
        (RELATIONS, "", None),
        (Number(), 34, 34.0),
        (Number(), "34.5", 34.5),
        (Number(), np.float64(2), 2.0),
        (Text(), "as it is ", "as it is "),
        (Text(), 3.0, "3"),
        (Quote(), "he hit her", "he hit her"),
    ],
)
def test_the_label_in_a_cell(variable: Variable, cell: object, label: Label) -> None:
    """Cells are read as people and programs write them."""
    read = label_of(variable, cell)
    assert read == label
    assert type(read) is type(label)


@pytest.mark.parametrize(
    ("variable", "cell"),
    [
        (Binary(), "x"),
        (Binary(), 2),
        (Binary(), "maybe"),
        (WEAPON, "knife"),
        (WEAPON, 1),
        (LEVEL, 3),
        (LEVEL, True),
        (RELATIONS, "partner;foe"),
        (RELATIONS, ";"),
        (Number(), "thirty"),
        (Number(), True),
        (Number(), datetime(2020, 1, 1)),
        (Number(), float("inf")),
    ],
)
def test_what_is_no_label_is_said_so_without_repeating_it(variable: Variable, cell: object) -> None:
    """The message says what it should be; the cell could hold a narrative."""
    with pytest.raises(NotALabel) as error:
        label_of(variable, cell)
    assert not isinstance(cell, str) or len(cell) < 3 or cell not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "labels", "label"),
    [
        (Binary(), [False, None, True], True),
        (Binary(), [False, None], False),
        (Binary(), [None], None),
        (LEVEL, ["2", "0", None], "2"),
        (Number(), [3.0, 5.0], 5.0),
        (RELATIONS, [("family",), (), ("partner",)], ("partner", "family")),
        (WEAPON, ["other", None, "other"], "other"),
        (WEAPON, ["other", "firearm"], None),
        (Text(), ["a", "a"], None),
        (Quote(), ["a"], None),
        (WEAPON, [], None),
    ],
)
def test_an_incident_has_the_label_of_its_narratives(variable: Variable, labels: list[Label], label: Label) -> None:
    """Any yes, the highest, all values together, or what all narratives say."""
    assert incident_label(variable, labels) == label


def test_which_column_holds_the_labels() -> None:
    """One column for all narratives, or one for each type and one for incidents."""
    each = Binary(label={"cme": "A", "incident": "B"})
    assert [columns_of(each, "cme"), columns_of(each, "le"), incident_column(each)] == ["A", None, "B"]
    one = Binary(label="A")
    assert [columns_of(one, "cme"), columns_of(one, "le"), incident_column(one)] == ["A", "A", None]
    assert [columns_of(Binary(), "cme"), incident_column(Binary())] == [None, None]
