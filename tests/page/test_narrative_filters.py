from multidict import MultiDict
from tests.coded_tables import CODEBOOK
from yarl import URL

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.page.narrative_links import NarrativeLinks
from narrative_runs.page.narratives.filters import asked_in, fields_of, understood
from narrative_runs.record.search_index import Kind, Property

LINKS = NarrativeLinks("cases")
FP, TP = "false positive", "true positive"


def wanted(address: str, is_coded: bool = False) -> tuple[tuple[Property, ...], str | None]:
    """What is looked up for an address, and of which variable something has to be compared first."""
    codebook = CODEBOOK if is_coded else DEFAULT
    meant = understood(asked_in(URL(address).query), codebook, is_coded)
    assert meant.problems == []
    return meant.wanted.properties, meant.compared


def test_links_of_the_findings_are_understood() -> None:
    """An address that the findings lead to means what they count, by the record's own columns or by a variable's."""
    assert wanted(LINKS.of("fp", type="cme")) == (
        (Property(Kind.TYPE, "", "cme"), Property(Kind.OUTCOME, "", FP)),
        None,
    )
    assert wanted(LINKS.of("fp", level="incident")) == ((Property(Kind.INCIDENT_OUTCOME, "", FP),), "")
    assert wanted(LINKS.of_group("Sex", "a & b", "error", error="timeout")) == (
        (
            Property(Kind.GROUP, "Sex", "a & b"),
            Property(Kind.ERROR, "", "timeout"),
            Property(Kind.OUTCOME, "", "error"),
        ),
        None,
    )
    assert wanted(LINKS.of("tp"), is_coded=True) == ((Property(Kind.COMPARED_OUTCOME, "detected", TP),), "detected")
    assert wanted(LINKS.of("error"), is_coded=True) == ((Property(Kind.OUTCOME, "", "error"),), None)
    assert wanted(LINKS.of(variable="weapon", value="other", label="firearm"), is_coded=True) == (
        (Property(Kind.VALUE, "weapon", "other"), Property(Kind.LABEL, "weapon", "firearm")),
        "weapon",
    )
    assert wanted(LINKS.of(variable="weapon", value="other", level="incident"), is_coded=True) == (
        (Property(Kind.INCIDENT_VALUE, "weapon", "other"),),
        "weapon",
    )


def test_the_usual_question_is_a_variable_too() -> None:
    """Where the record's own columns hold the one variable, its outcomes are theirs."""
    assert wanted(LINKS.of("fp", variable=DEFAULT.first_binary or "")) == ((Property(Kind.OUTCOME, "", FP),), None)


def test_filters_come_back_into_an_address() -> None:
    """What was asked for is kept from page to page, with what is not known left out."""
    query = {"outcome": "fp", "q": "a knife", "group.Sex": "male", "page": "7", "type": ""}
    asked = asked_in(MultiDict(query))
    assert asked.filters == {"outcome": "fp", "q": "a knife", "group.Sex": "male"}
    assert asked_in(MultiDict(asked.filters)) == asked


def test_the_form_shows_what_is_chosen() -> None:
    """Each filter has what there is to choose, with its count; what was asked for is chosen, even if nothing has it."""
    there = {
        Property(Kind.OUTCOME, "", FP): 3,
        Property(Kind.TYPE, "", "cme"): 5,
        Property(Kind.TYPE, "", "le"): 4,
        Property(Kind.GROUP, "Sex", "male"): 9,
    }
    asked = asked_in(MultiDict({"outcome": "fp", "error": "timeout"}))
    fields = {field.name: field for field in fields_of(asked, DEFAULT, False, there, shows_counts=True)}
    assert list(fields) == ["outcome", "type", "error", "group.Sex"]
    assert [choice.value for choice in fields["outcome"].choices if choice.is_chosen] == ["fp"]
    assert {choice.words: choice.n for choice in fields["type"].choices} == {"any": None, "cme": 5, "le": 4}
    assert [(choice.value, choice.is_chosen) for choice in fields["error"].choices] == [("", False), ("timeout", True)]
    masked = fields_of(asked, DEFAULT, False, there, shows_counts=False)
    assert all(choice.n is None for field in masked for choice in field.choices)
