"""Which server is asked, and with which key."""

import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from narrative_runs.errors import ServerError

API_KEY_VARIABLE = "LLM_API_KEY"
API_KEY_FILE_VARIABLE = "LLM_API_KEY_FILE"
# Whoever else can read the file, or replace what is in it.
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
BAD_KEY = f"{API_KEY_VARIABLE} contains a character that a key cannot contain, such as a line break. Set it again"


@dataclass(frozen=True)
class Server:
    """Where to ask.

    base_url: the /v1 base, with a query if the server wants one; api_key: sent as bearer token unless empty;
    timeout_s: seconds for a whole reply; allow_remote: whether it may be outside this machine and its private network;
    before_asking: called with each text that is to be sent.
    """

    base_url: str
    api_key: str
    timeout_s: float
    allow_remote: bool = False
    before_asking: Callable[[str], None] | None = None

    @property
    def completions_url(self) -> str:
        """The URL that takes the requests."""
        return self._url("chat/completions")

    @property
    def models_url(self) -> str:
        """The URL that lists the models."""
        return self._url("models")

    def _url(self, path: str) -> str:
        parts = urlsplit(self.base_url)
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def key_from_environment() -> str:
    """The API key without blanks around it: from the environment, or from the file that it names; written nowhere.

    Raises:
        ServerError: it cannot be sent, or its file cannot be used; the message does not hold it.
    """
    key = os.environ.get(API_KEY_VARIABLE, "").strip()
    if not key and (file := os.environ.get(API_KEY_FILE_VARIABLE, "")):
        key = _key_in(Path(file).expanduser())
    if not can_be_sent(key):
        raise ServerError(f"{BAD_KEY}.")
    return key


def _key_in(path: Path) -> str:
    try:
        if path.stat().st_mode & _OF_OTHERS:
            raise ServerError(
                f"{API_KEY_FILE_VARIABLE}: other users can read {path}. Run `chmod 600 {shlex.quote(str(path))}`, "
                "and consider replacing the key."
            )
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise ServerError(f"{API_KEY_FILE_VARIABLE}: {path} cannot be read ({reason}).") from None
    if not key:
        raise ServerError(f"{API_KEY_FILE_VARIABLE}: {path} is empty.")
    return key


def can_be_sent(key: str) -> bool:
    """Whether an HTTP header can hold a key."""
    return key.isascii() and (not key or key.isprintable())
