"""What a codebook is: its variables, each of one of seven types, with values, labels and conditions."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from narrative_runs.codebook.matching import as_compared, finite, number_of, value_like

CODEBOOK_MARK = "<<CODEBOOK>>"
UNCLEAR_VALUE = "unclear"
DETECTED, INDICATORS, RATIONALE = "detected", "indicators", "rationale"
YES, NO = "yes", "no"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_YES_NO = {"true": YES, "yes": YES, "false": NO, "no": NO}
# They stand between the values in the form of the answer, and in cells of labels.
_NOT_IN_VALUES = re.compile(r"[|\n\r]")
_EITHER = "Give a list of texts, or a mapping of values to texts"

Path = tuple[str, ...]


class CodebookProblems(ValueError):
    """What is wrong in a codebook as a whole; problems: for each the keys to where it is, and what is wrong."""

    def __init__(self, problems: list[tuple[Path, str]]) -> None:
        super().__init__("; ".join(f"{'.'.join(path)}: {problem}" for path, problem in problems))
        self.problems = problems


def _as_text(value: Any) -> Any:
    """A text as typed, also where it was read as something else."""
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_flag(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    flag = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if flag is None:
        raise ValueError("give true or false")
    return flag


def _as_number(value: Any) -> Any:
    if value is None:
        return None
    number = number_of(value) if isinstance(value, str) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = finite(value)
    if number is None:
        raise ValueError("give a number, such as 0 or 1.5")
    return number


def _texts(value: Any, problem: str) -> list[str]:
    """A text, or a list of texts, as a list of them."""
    texts = [_as_text(part) for part in (value if isinstance(value, list | tuple) else [value])]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(problem)
    return texts


def _as_label(value: Any) -> Any:
    problem = "give a column name, or a mapping such as {cme: WeaponCME, le: WeaponLE}"
    if value is None:
        return None
    if isinstance(value, Mapping) and value:
        return {_as_text(key): _texts([name], problem)[0] for key, name in value.items()}
    if isinstance(value, Mapping | list | tuple):
        raise ValueError(problem)
    return _texts(value, problem)[0]


def _as_examples(value: Any) -> Any:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return {_as_word(key): _texts(texts, _EITHER) for key, texts in value.items() if texts is not None}
    return _texts(value, _EITHER)


def _as_conditions(value: Any) -> Any:
    problem = "give a mapping of a variable to its value or values, such as {detected: yes}"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(problem)
    conditions = {}
    for name, given in value.items():
        values = [_as_word(each) for each in (given if isinstance(given, list | tuple) else [given])]
        if not values:
            raise ValueError(problem)
        conditions[_as_text(name)] = _texts(values, problem)
    return conditions


def _as_word(value: Any) -> Any:
    """A value of a variable as a text; yes and no may have been read as true and false."""
    return (YES if value else NO) if isinstance(value, bool) else _as_text(value)


def _as_values(value: Any) -> Any:
    problem = "give a list of values, or a mapping of values to what they mean"
    if isinstance(value, Mapping):
        pairs = [(_as_text(each), _as_text(meaning)) for each, meaning in value.items()]
    elif isinstance(value, list | tuple):
        pairs = []
        for part in value:
            # A list may hold mappings of one value each, so that their order is kept by whatever sorts keys.
            if isinstance(part, Mapping) and len(part) == 1:
                pairs += [(_as_text(each), _as_text(meaning)) for each, meaning in part.items()]
            else:
                pairs.append((_as_text(part), ""))
    else:
        raise ValueError(problem)
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        raise ValueError(problem)
    _refuse_alike([each for each, _ in pairs])
    return dict(pairs)


def _refuse_alike(values: list[str]) -> None:
    if not all(value.strip() for value in values):
        raise ValueError("a value is blank. Give each a name")
    if odd := next(filter(_NOT_IN_VALUES.search, values), None):
        raise ValueError(f"{odd!r} cannot be a value: it contains a line break or `|`, which separates values")
    seen: dict[str, str] = {}
    for value in values:
        alike = seen.setdefault("".join(value.split()).casefold(), value)
        if alike is not value:
            raise ValueError(f"{alike!r} and {value!r} are the same value: case and white space make no difference")


Words = Annotated[str, BeforeValidator(_as_text)]
Flag = Annotated[bool, BeforeValidator(_as_flag)]
Bound = Annotated[float | None, BeforeValidator(_as_number)]
Values = Annotated[dict[str, str], BeforeValidator(_as_values)]


class Model(BaseModel):
    """A part of the codebook; a key that it does not know is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, coerce_numbers_to_str=True, protected_namespaces=()
    )


class Variable(Model):
    """What all variables have in common, of whatever type.

    label: the workbook's column of human labels, or one for each narrative type and `incident`; examples: texts, or
    texts for each value; only_if: by variable the values with one of which this one is asked for at all.
    """

    type: str
    label: Annotated[str | dict[str, str] | None, BeforeValidator(_as_label)] = None
    definition: Words = ""
    examples: Annotated[list[str] | dict[str, list[str]], BeforeValidator(_as_examples)] = Field(default_factory=list)
    only_if: Annotated[dict[str, list[str]], BeforeValidator(_as_conditions)] = Field(default_factory=dict)
    unclear: Literal["value", "no", "error"] = "value"
    confidence: Flag = False

    @model_validator(mode="before")
    @classmethod
    def _blank_is_left_out(cls, values: Any) -> Any:
        return (
            {key: value for key, value in values.items() if value is not None} if isinstance(values, dict) else values
        )

    @field_validator("unclear", mode="before")
    @classmethod
    def _can_be_unclear(cls, value: Any) -> Any:
        word = _as_word(value)
        if word not in ("value", NO, "error"):
            raise ValueError("give value, no or error")
        if word == NO and cls.model_fields["type"].default != "binary":
            raise ValueError("`no` is only for binary variables. Give value or error")
        return word

    @property
    def value_names(self) -> tuple[str, ...]:
        """The values that it can have, in their order; none where they cannot be listed."""
        return ()


class Binary(Variable):
    """Yes or no."""

    type: Literal["binary"] = "binary"

    @property
    def value_names(self) -> tuple[str, ...]:
        """Yes and no."""
        return (YES, NO)


class Listed(Variable):
    """What the variables with a list of values have in common; values: each with its definition, or with none."""

    values: Values

    @field_serializer("values")
    def _in_order(self, values: dict[str, str]) -> list[str | dict[str, str]]:
        return [{value: meaning} if meaning else value for value, meaning in values.items()]

    @model_validator(mode="after")
    def _no_value_is_unclear(self) -> "Listed":
        if self.unclear == "value" and (same := value_like(UNCLEAR_VALUE, self.values)):
            raise ValueError(
                f"values: {same!r} is no value of its own where `unclear: value` holds. Leave it out, as the model may "
                "answer so anyway, or set `unclear: error`"
            )
        return self

    @property
    def value_names(self) -> tuple[str, ...]:
        """The values, in their order."""
        return tuple(self.values)


def _at_least_two(values: dict[str, str]) -> dict[str, str]:
    if len(values) < 2:
        raise ValueError("give at least two values")
    return values


TwoValues = Annotated[Values, AfterValidator(_at_least_two)]


class Category(Listed):
    """One of its values, which have no order."""

    type: Literal["category"] = "category"
    values: TwoValues


class Ordinal(Listed):
    """One of its values, which are named from the lowest to the highest."""

    type: Literal["ordinal"] = "ordinal"
    values: TwoValues


class Multi(Listed):
    """Any number of its values."""

    type: Literal["multi"] = "multi"

    @field_validator("values")
    @classmethod
    def _enough(cls, values: dict[str, str]) -> dict[str, str]:
        if not values:
            raise ValueError("give at least one value")
        return values


class Number(Variable):
    """A number; tolerance: how far it may be from the label and still agree with it."""

    type: Literal["number"] = "number"
    minimum: Bound = None
    maximum: Bound = None
    tolerance: Bound = None

    @model_validator(mode="after")
    def _bounds(self) -> "Number":
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError("minimum: it must be below maximum")
        if self.tolerance is not None and self.tolerance < 0:
            raise ValueError("tolerance: it must not be below 0")
        return self


class Quote(Variable):
    """Passages, each copied from the narrative."""

    type: Literal["quote"] = "quote"


class Text(Variable):
    """A text in the model's own words; many: a list of them."""

    type: Literal["text"] = "text"
    many: Flag = False


AnyVariable = Annotated[
    Binary | Category | Ordinal | Multi | Number | Quote | Text,
    Field(discriminator="type"),
]
TYPES: dict[str, type[Variable]] = {
    kind.model_fields["type"].default: kind for kind in get_args(get_args(AnyVariable)[0])
}


class Codebook(Model):
    """All variables that are asked for, in their order."""

    variables: dict[str, AnyVariable]

    @field_validator("variables")
    @classmethod
    def _fit_together(cls, variables: dict[str, AnyVariable]) -> dict[str, AnyVariable]:
        if not variables:
            raise ValueError("it has no variables. Name at least one")
        problems: list[tuple[Path, str]] = list(_name_problems(variables))
        fitted: dict[str, AnyVariable] = {}
        for name, variable in variables.items():
            only_if, wrong_conditions = _fitted_conditions(name, variable, variables)
            examples, wrong_examples = _fitted_examples(name, variable)
            problems += [*wrong_conditions, *wrong_examples]
            fitted[name] = variable.model_copy(update={"only_if": only_if, "examples": examples})
        if not problems and (circle := _circle(fitted)):
            chain = ", ".join(f"`{one}` on `{other}`" for one, other in pairwise(circle))
            problems.append(((circle[0], "only_if"), f"the conditions form a circle: {chain}"))
        if problems:
            raise CodebookProblems(problems)
        return fitted

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the variables, in their order."""
        return tuple(self.variables)

    @cached_property
    def anchors(self) -> tuple[str, ...]:
        """The variables by which an object in a model's text is known as an answer: those that every answer has, with
        values that can be told from prose; where there are none, all variables."""
        sure = tuple(
            name
            for name, variable in self.variables.items()
            if not isinstance(variable, Quote | Text) and not variable.only_if
        )
        return sure or self.names

    @cached_property
    def conditions_first(self) -> tuple[str, ...]:
        """The variables, each behind those that its conditions name."""
        ordered: dict[str, None] = {}

        def add(name: str) -> None:
            if name not in ordered:
                for condition in self.variables[name].only_if:
                    add(condition)
                ordered[name] = None

        for name in self.variables:
            add(name)
        return tuple(ordered)

    @cached_property
    def first_binary(self) -> str | None:
        """The first binary variable; None where there is none."""
        return _first_binary(self.variables)

    @cached_property
    def fits_the_record(self) -> bool:
        """Whether the record has a column for all that these variables can be: yes or no, indicators, a rationale.

        It has none that says why a value is missing.
        """
        return set(self.variables) <= {DETECTED, INDICATORS, RATIONALE} and not any(
            variable.only_if or (isinstance(variable, Binary) and variable.unclear == "value")
            for variable in self.variables.values()
        )

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys that an answer may have."""
        return frozenset([*self.variables, *map(confidence_key, self.variables)])

    @cached_property
    def _as_json(self) -> str:
        return self.model_dump_json()

    # The order counts: it decides what is asked first, and which value of an ordinal variable is the higher one.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Codebook) and self._as_json == other._as_json

    def __hash__(self) -> int:
        return hash(self._as_json)


def confidence_key(name: str) -> str:
    """The key, and the column, of the confidence in a variable."""
    return "confidence" if name == DETECTED else f"{name}_confidence"


def missing_column(name: str) -> str:
    """The column that says why a variable has no value."""
    return f"{name}_missing"


def probability_column(name: str) -> str:
    """The column of the probability that follows from the model's token probabilities."""
    return f"p_{name}"


def not_in_text_column(name: str) -> str:
    """The column of a quote variable's passages that do not stand in the narrative."""
    return f"{name}_not_in_text"


def columns_for(name: str) -> tuple[str, ...]:
    """The columns that a variable may have: its own, its confidence, why it is missing, its probability, and the
    passages that are not in the text."""
    return (name, confidence_key(name), missing_column(name), probability_column(name), not_in_text_column(name))


def reserved_problems(codebook: Codebook, reserved: Collection[str]) -> list[tuple[Path, str]]:
    """What is wrong with the names beside columns that are taken: the keys to each name within `variables`, and why.

    reserved: the names of the columns that are there anyway; `detected`, `indicators` and `rationale` may be used.
    """
    taken = {column.casefold() for column in reserved}
    return [
        ((name,), f"the results have a column {column} of their own. Choose another name")
        for name in codebook.variables
        if name not in (DETECTED, INDICATORS, RATIONALE)
        for column in [next((column for column in columns_for(name) if column in taken), None)]
        if column is not None
    ]


def _first_binary(variables: Mapping[str, Variable]) -> str | None:
    return next((name for name, variable in variables.items() if isinstance(variable, Binary)), None)


def _name_problems(variables: Mapping[str, Variable]) -> Iterator[tuple[Path, str]]:
    owners: dict[str, str] = {}
    for name, variable in variables.items():
        if not _NAME.fullmatch(name):
            yield (
                (name,),
                "a name consists of lower-case letters, digits and underscores, starts with a letter and has at most "
                "40 characters",
            )
        elif name.endswith(("_confidence", "_missing")) or name.startswith("p_"):
            yield (name,), "names that begin with p_, or end in _confidence or _missing, are reserved for other columns"
        if name == DETECTED and _first_binary(variables) != DETECTED:
            yield (name,), "`detected` must be binary, and the first binary variable"
        if name == INDICATORS and not (isinstance(variable, Text) and variable.many):
            yield (name,), "`indicators` must be of type text with `many: true`"
        if name == RATIONALE and not (isinstance(variable, Text) and not variable.many):
            yield (name,), "`rationale` must be of type text, without `many: true`"
        for column in columns_for(name):
            other = owners.setdefault(column, name)
            if other != name:
                yield (name,), f"the column {column} would also belong to `{other}`. Choose another name"


def _fitted_conditions(
    name: str, variable: Variable, variables: Mapping[str, Variable]
) -> tuple[dict[str, list[str]], list[tuple[Path, str]]]:
    """The conditions with their values as the codebook spells them, and what is wrong with them."""
    fitted: dict[str, list[str]] = {}
    problems: list[tuple[Path, str]] = []
    for condition, values in variable.only_if.items():
        path = (name, "only_if", condition)
        on = variables.get(condition)
        if on is None:
            problems.append((path, f"there is no such variable. There are: {', '.join(variables)}"))
        elif not on.value_names:
            problems.append((path, "only binary, category, ordinal and multi variables can be conditions"))
        else:
            known = {value: _own_value(on, value) for value in values}
            problems += [
                (path, f"{value!r} is none of its values, which are: {', '.join(on.value_names)}")
                for value, own in known.items()
                if own is None
            ]
            fitted[condition] = list(dict.fromkeys(own for own in known.values() if own is not None))
    return fitted, problems


def _fitted_examples(name: str, variable: Variable) -> tuple[list[str] | dict[str, list[str]], list[tuple[Path, str]]]:
    """The examples with their values as the codebook spells them, and what is wrong with them."""
    if isinstance(variable.examples, list) or not variable.value_names:
        return variable.examples, []
    fitted: dict[str, list[str]] = {}
    problems: list[tuple[Path, str]] = []
    for value, texts in variable.examples.items():
        own = _own_value(variable, value)
        if own is None and variable.unclear == "value" and as_compared(value) == UNCLEAR_VALUE:
            own = UNCLEAR_VALUE
        if own is None:
            among = ", ".join(variable.value_names)
            problems.append(((name, "examples", value), f"it is none of the values, which are: {among}"))
        else:
            fitted[own] = fitted.get(own, []) + texts
    return fitted, problems


def _own_value(variable: Variable, value: str) -> str | None:
    if isinstance(variable, Binary):
        return _YES_NO.get(value.strip().lower())
    return value_like(value, variable.value_names)


def _circle(variables: Mapping[str, Variable]) -> list[str]:
    """Variables of which each depends on the next, and the last is the first; none where no conditions do so."""
    done: set[str] = set()

    def within(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for condition in variables[name].only_if:
            if circle := within(condition, [*path, name]):
                return circle
        done.add(name)
        return []

    return next(filter(None, (within(name, []) for name in variables)), [])
