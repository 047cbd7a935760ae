from typing import Any

from tests.run_contexts import context_of

from narrative_runs.params import check
from narrative_runs.report.header import ReportHeader, header_of


def header(heads: list[dict[str, Any]], **model: Any) -> ReportHeader:
    """The header of the report of an experiment with these journals; model: its params of this section."""
    params = check(
        {
            "experiment": {"name": "Cases"},
            "model": {"name": "m", "api_url": "http://127.0.0.1:1/v1", **model},
            "prompt": {"system_prompt": "s", "user_template": "u <<TEXT>>"},
            "data": {"file": "data/cases.xlsx"},
        },
        "the test",
    )
    return header_of(context_of(params), heads)


def head(session: int, day: str, version: str) -> dict[str, Any]:
    """What the head of a journal tells of its session."""
    return {
        "session": session,
        "session_began_at": f"{day}T10:00:00+00:00",
        "software_version": version,
        "git_commit": "c" * 40,
    }


def test_a_session_counts_once_whatever_its_journals() -> None:
    """Each session writes a journal a shard; versions are told once, from the first day to the last."""
    heads = [head(1, "2026-01-30", "0.1.0"), head(1, "2026-01-30", "0.1.0"), head(2, "2026-02-01", "0.1.0")]
    found = header([*heads, head(3, "2026-02-02", "0.2.0")])
    assert len(found.sessions) == 3
    assert found.versions == [("0.1.0", "c" * 40), ("0.2.0", "c" * 40)]
    assert (found.asked_from, found.asked_until) == ("2026-01-30", "2026-02-02")


def test_journals_may_tell_nothing() -> None:
    """Without journals, or with heads of few words, there is a header all the same."""
    assert (header([]).versions, header([]).asked_from) == ([], "")
    assert header([{"experiment_id": "0b6d"}]).versions == [("", "")]


def test_settings_hold_no_login_and_no_prompt() -> None:
    """The params are listed without the prompts, which stand apart, and without a password in the address."""
    found = header([], api_url="https://me:secret@llm.example:8443/v1?x=1")
    settings, named = (
        dict(found.settings),
        [f"{section}.{key}" for section in found.params for key in found.params[section]],
    )
    assert settings["model.api_url"] == "https://llm.example:8443/v1?x=1"
    assert [*settings] == [name for name in named if name not in ("prompt.system_prompt", "prompt.user_template")]


def test_an_address_that_cannot_be_read_is_listed_as_it_is() -> None:
    """The embedded server needs no address, so that whatever stands there is no error."""
    settings = dict(header([], provider="embedded", api_url="http://[broken").settings)
    assert settings["model.api_url"] == "http://[broken"
