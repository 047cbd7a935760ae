"""The filters of the room of narratives: read from an address, and shown in the form."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from multidict import MultiMapping

from narrative_runs.codebook.values import NOT_ASKED, UNCLEAR
from narrative_runs.codebook.variables import Codebook
from narrative_runs.one_result import OUTCOMES
from narrative_runs.page.narrative_links import INCIDENT
from narrative_runs.record.narrative_pages import Wanted
from narrative_runs.record.search_index import Kind, Property
from narrative_runs.record.search_words import Term, terms_of

GROUP = "group."
_KEYS = ("outcome", "type", "error", "variable", "value", "label", "level", "min_probability", "max_probability", "q")
# As `trace` takes them.
_TYPED = {
    **OUTCOMES,
    "unlabelled": "no label",
    "right": "right",
    "wrong": "wrong",
    "unclear": UNCLEAR,
    "not-asked": NOT_ASKED,
    "not-in-text": "not in the text",
    "no-value": "no value",
}
_OF_ALL = ("tp", "fp", "fn", "tn", "error", "unlabelled")
_LONGEST = 400


@dataclass(frozen=True)
class Asked:
    """The filters of an address, as given; an empty text does not filter.

    groups: by column of the workbook.
    """

    outcome: str = ""
    type: str = ""
    error: str = ""
    variable: str = ""
    value: str = ""
    label: str = ""
    level: str = ""
    min_probability: str = ""
    max_probability: str = ""
    q: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def filters(self) -> dict[str, str]:
        """All filters that were given, by their names in an address."""
        given = {key: getattr(self, key) for key in _KEYS}
        given |= {f"{GROUP}{column}": group for column, group in self.groups.items()}
        return {key: value for key, value in given.items() if value}

    @property
    def is_of_incidents(self) -> bool:
        """Whether outcome, value and label are those of the narrative's incident."""
        return self.level == INCIDENT

    @property
    def terms(self) -> list[Term]:
        """The words that are searched for."""
        return terms_of(self.q)


def asked_in(query: MultiMapping[str]) -> Asked:
    """The filters in the query of an address; unknown names are left out."""
    given = {key: query.get(key, "").strip()[:_LONGEST] for key in _KEYS}
    groups = {key.removeprefix(GROUP): value for key, value in query.items() if key.startswith(GROUP) and value}
    return Asked(**given, groups=groups)


@dataclass(frozen=True)
class Understood:
    """What the filters mean.

    wanted: for the search index; compared: the variable of which it has to know what is compared with labels, empty for
    the record's own columns, None where that is not needed; problems: what was asked for and cannot be, in words.
    """

    wanted: Wanted
    compared: str | None
    problems: list[str]


def understood(asked: Asked, codebook: Codebook, is_coded: bool) -> Understood:
    """What the filters mean for an experiment with this codebook.

    is_coded: whether the record has the values of its variables beside its own columns.
    """
    problems: list[str] = []
    variable = asked.variable
    if variable and variable not in codebook.names:
        problems.append(f"There is no variable {variable}. There are: {', '.join(codebook.names)}.")
    if not variable and is_coded and asked.outcome in ("tp", "fp", "fn", "tn") and codebook.first_binary:
        # The findings of all are those of this variable.
        variable = codebook.first_binary
    about = variable if is_coded or variable != codebook.first_binary else ""
    properties = [Property(Kind.GROUP, column, group) for column, group in asked.groups.items()]
    properties += [Property(Kind.TYPE, "", asked.type)] if asked.type else []
    properties += [Property(Kind.ERROR, "", asked.error)] if asked.error else []
    needs_compared = asked.is_of_incidents or bool(asked.label)
    outcome = _TYPED.get(asked.outcome, asked.outcome)
    if outcome:
        if asked.is_of_incidents:
            properties.append(Property(Kind.INCIDENT_OUTCOME, about, outcome))
        elif about:
            properties.append(Property(Kind.COMPARED_OUTCOME, about, outcome))
            needs_compared = True
        else:
            properties.append(Property(Kind.OUTCOME, "", outcome))
    if asked.value:
        kind = Kind.INCIDENT_VALUE if asked.is_of_incidents else Kind.VALUE
        properties.append(Property(kind, variable, asked.value))
    if asked.label:
        kind = Kind.INCIDENT_LABEL if asked.is_of_incidents else Kind.LABEL
        properties.append(Property(kind, about, asked.label))
    least, greatest = (_number(asked, key, problems) for key in ("min_probability", "max_probability"))
    terms = asked.terms
    if asked.q and not terms:
        problems.append(f"There is no word in “{asked.q}” to search for.")
    of = about if about and about != codebook.first_binary else ""
    wanted = Wanted(tuple(properties), tuple(terms), least, greatest, of)
    return Understood(wanted, about if needs_compared and not problems else None, problems)


def _number(asked: Asked, key: str, problems: list[str]) -> float | None:
    given = getattr(asked, key)
    if not given:
        return None
    try:
        number = float(given.replace(",", "."))
    except ValueError:
        number = float("nan")
    if not 0 <= number <= 1:
        problems.append(f"“{given}” is no probability: give a number from 0 to 1, such as 0.8.")
        return None
    return number


@dataclass(frozen=True)
class Choice:
    """One thing that a filter can be set to; words: as the form shows it; n: how many narratives have it, None where
    that is not shown."""

    value: str
    words: str
    is_chosen: bool
    n: int | None = None


@dataclass(frozen=True)
class Field:
    """One filter of the form, with what it can be set to; the first choice asks for nothing."""

    name: str
    title: str
    choices: list[Choice]

    @property
    def is_group(self) -> bool:
        """Whether it is one of the workbook's columns."""
        return self.name.startswith(GROUP)


def fields_of(
    asked: Asked, codebook: Codebook, is_coded: bool, there: Mapping[Property, int], shows_counts: bool
) -> list[Field]:
    """The filters of the form.

    there: what the narratives of the experiment can be filtered by; shows_counts: whether it is said how many have it.
    """

    def of(kind: Kind, name: str, title: str, chosen: str, about: str = "") -> Field:
        listed = [Choice("", "any", not chosen)]
        for known, n in there.items():
            if (known.kind, known.name) == (kind, about):
                listed.append(Choice(known.value, known.value, known.value == chosen, n if shows_counts else None))
        if chosen and not any(choice.is_chosen for choice in listed):
            listed.append(Choice(chosen, chosen, True))
        return Field(name, title, listed)

    fields = [
        _outcomes(asked, codebook, is_coded, there if shows_counts else {}),
        of(Kind.TYPE, "type", "Narrative type", asked.type),
        of(Kind.ERROR, "error", "Error", asked.error),
    ]
    if is_coded or asked.variable:
        names = [Choice(name, name, name == asked.variable) for name in codebook.names]
        fields.append(Field("variable", "Variable", [Choice("", "any", not asked.variable), *names]))
    if name := asked.variable:
        fields.append(of(Kind.VALUE, "value", f"Value of {name}", asked.value, name))
        fields.append(of(Kind.LABEL, "label", f"Label of {name}", asked.label, name))
    if asked.level:
        whose = [Choice("", "the narrative", False), Choice(INCIDENT, "its incident", True)]
        fields.append(Field("level", "Outcome, value and label of", whose))
    columns = [known.name for known in there if known.kind is Kind.GROUP]
    for column in dict.fromkeys([*columns, *asked.groups]):
        fields.append(of(Kind.GROUP, f"{GROUP}{column}", column, asked.groups.get(column, ""), column))
    return [each for each in fields if len(each.choices) > 1]


def _outcomes(asked: Asked, codebook: Codebook, is_coded: bool, there: Mapping[Property, int]) -> Field:
    is_of_the_record = not (asked.variable or asked.is_of_incidents or is_coded)
    choices = [Choice("", "any", not asked.outcome)]
    for typed, words in _outcomes_to_choose(asked, codebook, is_coded).items():
        n = there.get(Property(Kind.OUTCOME, "", words)) if is_of_the_record else None
        choices.append(Choice(typed, words, typed == asked.outcome, n))
    return Field("outcome", "Outcome", choices)


def _outcomes_to_choose(asked: Asked, codebook: Codebook, is_coded: bool) -> dict[str, str]:
    variable = codebook.variables.get(asked.variable)
    if variable is None or not is_coded:
        names = _OF_ALL if codebook.first_binary else ("error",)
        return {name: _TYPED[name] for name in names}
    # Imported here: it needs tables, which other experiments do without.
    from narrative_runs.variable_outcomes import outcomes_to_choose

    return outcomes_to_choose(variable)
