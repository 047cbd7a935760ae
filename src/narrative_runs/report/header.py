"""The header of a report: the experiment that it is about, from params and journals."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from narrative_runs.codebook.variables import Variable
from narrative_runs.experiment import CODEBOOK, codebook_of
from narrative_runs.run_context import RunContext

PROMPTS = ("prompt.system_prompt", "prompt.user_template")


@dataclass(frozen=True)
class SessionSpan:
    """One session of an experiment, from the heads of its journals; empty texts where these do not say."""

    number: int
    began_at: str
    software_version: str
    git_commit: str


@dataclass(frozen=True)
class ReportHeader:
    """One experiment: its id, source and params, and the sessions that have answers."""

    experiment_id: str
    slug: str
    source_md5: str
    params: dict[str, Any]
    sessions: list[SessionSpan]

    @property
    def versions(self) -> list[tuple[str, str]]:
        """(version, git commit) of the software that asked, each pair once, oldest first."""
        return list(dict.fromkeys((each.software_version, each.git_commit) for each in self.sessions))

    @property
    def asked_from(self) -> str:
        """Day of the first session, `YYYY-MM-DD`; empty where no journal says it."""
        return min((each.began_at[:10] for each in self.sessions if each.began_at), default="")

    @property
    def asked_until(self) -> str:
        """Day on which the last session began."""
        return max((each.began_at[:10] for each in self.sessions if each.began_at), default="")

    @property
    def settings(self) -> list[tuple[str, Any]]:
        """All params but the prompts and the codebook, by their dotted names."""
        sections = {section: keys for section, keys in self.params.items() if section != CODEBOOK}
        named = [(f"{section}.{key}", value) for section, keys in sections.items() for key, value in keys.items()]
        return [
            (name, _without_logins(value) if name == "model.api_url" else value)
            for name, value in named
            if name not in PROMPTS
        ]

    @property
    def variables(self) -> dict[str, Variable]:
        """The variables of the codebook, by their names; none where the usual question was asked."""
        return dict(codebook_of(self.params).variables) if self.params.get(CODEBOOK) else {}


def header_of(context: RunContext, heads: list[dict[str, Any]]) -> ReportHeader:
    """The header of the report of the run's experiment.

    In: the run; the heads of all journals, oldest session first.
    """
    return ReportHeader(
        context.experiment_id,
        context.slug,
        context.source_md5,
        context.params.model_dump(mode="json"),
        sessions_in(heads),
    )


def sessions_in(heads: list[dict[str, Any]]) -> list[SessionSpan]:
    """The sessions that have answers, from the heads of all journals, oldest first."""
    sessions: dict[int, SessionSpan] = {}
    for head in heads:
        number = int(head.get("session") or 1)
        sessions.setdefault(
            number,
            SessionSpan(
                number,
                str(head.get("session_began_at") or head.get("began_at") or ""),
                str(head.get("software_version") or ""),
                str(head.get("git_commit") or ""),
            ),
        )
    return list(sessions.values())


def _without_logins(addresses: str | list[str]) -> str | list[str]:
    """One address, or several, each without the name and password that it may hold."""
    return _without_login(addresses) if isinstance(addresses, str) else [_without_login(each) for each in addresses]


def _without_login(address: str) -> str:
    """An address without the name and password that it may hold: people pass reports on."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
