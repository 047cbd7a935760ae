"""What a report is about: the experiment as its journals tell it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

PROMPTS = ("prompt.system_prompt", "prompt.user_template")


@dataclass(frozen=True)
class Sitting:
    """One session of an experiment, as the heads of its journals tell it; empty texts where they do not."""

    number: int
    began_at: str
    software_version: str
    git_commit: str


@dataclass(frozen=True)
class Subject:
    """One experiment: its id, source and params, and the sessions that have answers."""

    experiment_id: str
    slug: str
    source_md5: str
    params: dict[str, Any]
    sittings: list[Sitting]

    @property
    def versions(self) -> list[tuple[str, str]]:
        """(version, git commit) of the software that asked, each pair once, oldest first."""
        return list(dict.fromkeys((each.software_version, each.git_commit) for each in self.sittings))

    @property
    def asked_from(self) -> str:
        """Day of the first session, `YYYY-MM-DD`; empty where no journal tells it."""
        return min((each.began_at[:10] for each in self.sittings if each.began_at), default="")

    @property
    def asked_until(self) -> str:
        """Day on which the last session began."""
        return max((each.began_at[:10] for each in self.sittings if each.began_at), default="")

    @property
    def settings(self) -> list[tuple[str, Any]]:
        """All params but the prompts, by their dotted names."""
        named = [(f"{section}.{key}", value) for section, keys in self.params.items() for key, value in keys.items()]
        return [
            (name, _without_login(value) if name == "model.api_url" else value)
            for name, value in named
            if name not in PROMPTS
        ]


def subject_of(settings: dict[str, Any], heads: list[dict[str, Any]]) -> Subject:
    """The subject of a report.

    In: what the session tells every job; the heads of all journals, oldest session first.
    """
    sittings: dict[int, Sitting] = {}
    for head in heads:
        number = int(head.get("session") or 1)
        sittings.setdefault(
            number,
            Sitting(
                number,
                str(head.get("session_began_at") or head.get("began_at") or ""),
                str(head.get("software_version") or ""),
                str(head.get("git_commit") or ""),
            ),
        )
    return Subject(
        settings["head"]["experiment_id"],
        settings["slug"],
        settings["head"]["source_md5"],
        settings["params"],
        list(sittings.values()),
    )


def _without_login(address: str) -> str:
    """An address without the name and password that it may hold: a report is passed on."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
