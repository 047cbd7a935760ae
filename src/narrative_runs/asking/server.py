"""Which server is asked, and with which key."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from narrative_runs.errors import ServerError

API_KEY_VARIABLE = "LLM_API_KEY"
BAD_KEY = f"{API_KEY_VARIABLE} holds a character that no key may hold, such as a line break. Set it anew"


@dataclass(frozen=True)
class Server:
    """Where to ask.

    base_url: the /v1 base, with a query where the server wants one; api_key: sent as bearer token unless empty;
    timeout_s: seconds for a whole reply; allow_remote: whether it may lie outside this machine and its private network.
    """

    base_url: str
    api_key: str
    timeout_s: float
    allow_remote: bool = False

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
    """The API key without blanks around it; it is read from the environment alone, and written nowhere.

    Raises:
        ServerError: it cannot be sent; the message does not hold it.
    """
    key = os.environ.get(API_KEY_VARIABLE, "").strip()
    if not can_be_sent(key):
        raise ServerError(f"{BAD_KEY}.")
    return key


def can_be_sent(key: str) -> bool:
    """Whether a key can stand in an HTTP header."""
    return key.isascii() and (not key or key.isprintable())
