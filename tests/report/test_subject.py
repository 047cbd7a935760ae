from typing import Any

from narrative_runs.report.subject import Subject, subject_of


def subject(heads: list[dict[str, Any]], **model: Any) -> Subject:
    """The subject of an experiment with these journals."""
    settings = {
        "slug": "cases",
        "head": {"experiment_id": "0b6d", "source_md5": "ab" * 16},
        "params": {"model": {"name": "m", **model}, "prompt": {"system_prompt": "s", "user_template": "u"}},
    }
    return subject_of(settings, heads)


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
    found = subject([*heads, head(3, "2026-02-02", "0.2.0")])
    assert len(found.sittings) == 3
    assert found.versions == [("0.1.0", "c" * 40), ("0.2.0", "c" * 40)]
    assert (found.asked_from, found.asked_until) == ("2026-01-30", "2026-02-02")


def test_journals_may_tell_nothing() -> None:
    """Without journals, or with heads of few words, there is a subject all the same."""
    assert (subject([]).versions, subject([]).asked_from) == ([], "")
    assert subject([{"experiment_id": "0b6d"}]).versions == [("", "")]


def test_settings_hold_no_login_and_no_prompt() -> None:
    """The params are listed without the prompts, which stand apart, and without a password in the address."""
    settings = dict(subject([], api_url="https://me:secret@llm.example:8443/v1?x=1").settings)
    assert settings == {"model.name": "m", "model.api_url": "https://llm.example:8443/v1?x=1"}
    assert dict(subject([], api_url="http://[broken").settings)["model.api_url"] == "http://[broken"
