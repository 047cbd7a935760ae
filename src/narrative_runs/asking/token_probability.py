"""How likely a server thought `true` at the place of the answer's decision."""

import math
import re
from typing import Any

# Rounding lets the logarithm of a probability of one be a little above zero.
_ABOUT_ZERO = 0.01
# Servers differ in whether they give blanks and special tokens back.
_IMMATERIAL = re.compile(rb"[ \t\r\n]+|<\|[^|<>]{1,40}\|>|</?s>|<(?:eos|bos|end_of_turn)>")
_WORD = re.compile(r"\w+")


def probability_of_true(logprobs: Any, content: str, place: int | None) -> float | None:
    """P(true) / (P(true) + P(false)) among the most likely tokens where the decision begins.

    logprobs: of a choice, as the server gives it; content: the message's text; place: of the decision in it, None
    where nobody knows it.
    None without logprobs, and where the tokens cannot be aligned with the text.
    """
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if place is None or not isinstance(tokens, list) or not all(isinstance(_token(token), str) for token in tokens):
        return None
    pieces = [_IMMATERIAL.sub(b"", _bytes(token)) for token in tokens]
    position = _position(b"".join(pieces), content, place)
    if position is None:
        return None
    end = 0
    for token, piece in zip(tokens, pieces, strict=True):
        end += len(piece)
        if end > position:
            others = token.get("top_logprobs")
            return _share_of_true([token, *(others if isinstance(others, list) else [])])
    return None


def _position(told: bytes, content: str, place: int) -> int | None:
    """Where the decision stands in the tokens' text; None where that cannot be told for certain."""
    word = _WORD.match(content, place)
    whole, head = _material(content), _material(content[:place])
    if told.endswith(whole):
        # With separate thinking, or without: what was written is what comes last.
        return len(told) - len(whole) + len(head)
    if whole and told.count(whole) == 1:
        # Some servers take off the fences that the model wrote around its answer.
        return told.index(whole) + len(head)
    # Tokens that break off, or of which one is a piece of a character, still begin as the text does.
    beginning = head + _material(word[0] if word else content[place:])
    return len(head) if told.startswith(beginning) and told.count(beginning) == 1 else None


def _material(text: str) -> bytes:
    return _IMMATERIAL.sub(b"", text.encode("utf-8", "replace"))


def _bytes(token: dict[str, Any]) -> bytes:
    """The bytes of a token: some are a piece of a character, which its text cannot show."""
    told = token.get("bytes")
    if isinstance(told, list) and told and all(type(byte) is int and 0 <= byte < 256 for byte in told):
        return bytes(told)
    return str(token["token"]).encode("utf-8", "replace")


def _token(entry: Any) -> Any:
    return entry.get("token") if isinstance(entry, dict) else None


def _share_of_true(candidates: list[Any]) -> float | None:
    likely: dict[str, float] = {}
    for candidate in candidates:
        token = _token(candidate)
        logprob = candidate.get("logprob") if isinstance(token, str) else None
        # Some servers write a probability of zero as null; what is above one is no probability.
        if isinstance(logprob, int | float) and not isinstance(logprob, bool) and logprob <= _ABOUT_ZERO:
            # A whole number of any length can stand there, which no float takes.
            likely[token] = math.exp(max(logprob, -1e6))
    true = sum(share for token, share in likely.items() if _begins(token, "true"))
    false = sum(share for token, share in likely.items() if _begins(token, "false"))
    return true / (true + false) if true + false > 0 else None


def _begins(token: str, word: str) -> bool:
    # A token may carry the blank before the value, or be its first letters only.
    core = token.strip(' ":\n').lower().split(",")[0].split("}")[0]
    return bool(core) and (word.startswith(core) or core.startswith(word))
