from narrative_runs.codebook.variables import TYPES
from narrative_runs.findings.by_variable.main_measure import main_measure, main_rate


def test_each_type_but_text_has_a_main_measure() -> None:
    """The overview has one number for each type."""
    assert [kind for kind in TYPES if main_measure(kind) is None] == ["text"]


def test_the_main_rate_is_that_of_incidents_where_narratives_have_none() -> None:
    """An overview shows the rate of narratives, without one that of incidents, and nothing where neither has one."""
    rate = {"value": 0.5, "low": 0.2, "high": 0.8}
    narrative, incident, nothing = {"f1": rate}, {"f1": rate}, {"f1": None}
    of_variable = {"type": "binary", "narrative": narrative, "incident": incident}
    assert main_rate(of_variable) == ("narrative", "f1", rate)
    assert main_rate(of_variable | {"narrative": nothing}) == ("incident", "f1", rate)
    assert main_rate(of_variable | {"narrative": nothing, "incident": nothing}) is None
    assert main_rate({"type": "text", "narrative": None, "incident": None}) is None
