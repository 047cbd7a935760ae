"""Which variables of two codebooks can be compared, and why others cannot."""

from narrative_runs.codebook.variables import Category, Codebook, Listed, Multi, Text, Variable

ONLY_FIRST, ONLY_OTHER, IN_NEITHER = "only in {first}", "only in {other}", "in neither of them"
OTHER_TYPE, OTHER_VALUES = "of another type in {other}", "with other values in {other}"
A_TEXT = "a text in the model's own words"


def why_not_compared(first: Codebook, other: Codebook) -> dict[str, str | None]:
    """By variable of either codebook why it is not compared, with `{first}` and `{other}` for the experiments; None
    where it is: both have it, with the same type and the same values.

    Of ordinal variables the order of the values counts, of others it does not.
    """
    return {
        name: _reason(first.variables.get(name), other.variables.get(name))
        for name in dict.fromkeys([*first.names, *other.names])
    }


def with_answers_to_compare(codebook: Codebook, first: Codebook) -> Codebook | None:
    """The variables that are no texts, with their values in the order of the first codebook where both have the same,
    so that a value has the same index in both; None where there is no such variable."""
    variables = {
        name: _in_order_of(first.variables.get(name), variable)
        for name, variable in codebook.variables.items()
        if not isinstance(variable, Text)
    }
    return Codebook.model_validate({"variables": variables}) if variables else None


def _reason(first: Variable | None, other: Variable | None) -> str | None:
    if first is None:
        return ONLY_OTHER
    if other is None:
        return ONLY_FIRST
    if first.type != other.type:
        return OTHER_TYPE
    if isinstance(first, Text):
        return A_TEXT
    return None if _have_same_values(first, other) else OTHER_VALUES


def _have_same_values(first: Variable, other: Variable) -> bool:
    if isinstance(first, Category | Multi):
        return {*first.value_names} == {*other.value_names}
    return first.value_names == other.value_names


def _in_order_of(first: Variable | None, variable: Variable) -> Variable:
    if not isinstance(variable, Listed) or first is None or first.type != variable.type:
        return variable
    if not _have_same_values(first, variable):
        return variable
    return variable.model_copy(update={"values": {value: variable.values[value] for value in first.value_names}})
