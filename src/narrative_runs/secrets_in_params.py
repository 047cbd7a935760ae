"""What in the params is a password or a key, or may be one: they are copied into records, journals and lock files."""

import re
from urllib.parse import parse_qsl, urlsplit

_SECRETS = ("key", "token", "secret", "password", "passwd", "auth", "sig", "signature", "credential", "code")
_NAMES = r"[\w-]*(?:key|token|secret|password|passwd)"
# A variable, or what a command gives, is filled in when the line is run.
_FILLED_IN = r"[\"']?[$`]"
_ARGUMENT = re.compile(r"--(?:[\w-]*[-_])?(?:key|token|password|secret)[ =]", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s\"'|;<>]+")
# What programs are called with, and addresses that are the key themselves: Slack, Discord, Teams, Telegram.
_IN_A_LINE = re.compile(
    rf"(?<![\w$])(?:--{_NAMES}[ =]|{_NAMES}(?:=|: ?))(?!\s|{_FILLED_IN})"
    rf"|authorization: *(?:(?:bearer|basic|token) +)?(?!bearer\b|basic\b|token\b|\s|{_FILLED_IN})"
    rf"|(?<!\S)(?:-u|--user)[ =]?[\"']?[^\s\"'$:+%]+:(?!{_FILLED_IN})[^\s\"']"
    r"|hooks\.slack\.com/\w+/\w|discord(?:app)?\.com/api/webhooks/\w|webhook\.office\.com/\w|api\.telegram\.org/bot\w",
    re.IGNORECASE,
)


def secret_in_url(url: str) -> str | None:
    """What in a URL is a secret, or may be one, in words; None for nothing."""
    parts = urlsplit(url.strip())
    if parts.username is not None or parts.password is not None:
        return "a user or a password"
    for name, _ in _named_values(parts.query):
        return f"a key ({name})"
    return None


def has_key_argument(command: str) -> bool:
    """Whether the command of a model server is given a key, as with `--api-key`."""
    return _ARGUMENT.search(command) is not None


def has_secret(line: str) -> bool:
    """Whether a line for a shell holds a key or a password itself, instead of a variable or a file that does."""
    return _IN_A_LINE.search(line) is not None or any(map(_is_secret, _URL.findall(line)))


def _is_secret(url: str) -> bool:
    try:
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
    except ValueError:
        return False
    return bool(user and not user.startswith("$")) or any(value[:1] != "$" for _, value in _named_values(parts.query))


def _named_values(query: str) -> list[tuple[str, str]]:
    """Of a query, the keys and values whose name says that they are a secret."""
    return [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True)
        if any(word in name.lower().replace("-", "_").split("_") for word in _SECRETS) or "apikey" in name.lower()
    ]
