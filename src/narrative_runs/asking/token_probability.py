"""How likely a value of the answer was to the server, against others that could be there instead."""

import codecs
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

# Rounding lets the logarithm of a probability of one be a little above zero.
_ABOUT_ZERO = 0.01
# Servers differ in whether they give blanks and special tokens back.
_IMMATERIAL = re.compile(rb"[ \t\r\n]+|<\|[^|<>]{1,40}\|>|</?s>|<(?:eos|bos|end_of_turn)>")
_WORD = re.compile(r"\w+")
_LEAD = b' \t\r\n":'


def probability_of_true(logprobs: Any, content: str, start: int | None) -> float | None:
    """P(true) / (P(true) + P(false)) among the most likely tokens where the decision begins.

    logprobs: of a choice, as the server gives it; content: the message's text; start: where the decision begins
    in it, None if nobody knows.
    None without logprobs, and if the tokens cannot be aligned with the text.
    """
    aligned = _aligned(logprobs, content, start)
    return None if aligned is None else _share_of_true(aligned[0][0])


def probability_of(logprobs: Any, content: str, start: int | None, value: str, values: Sequence[str]) -> float | None:
    """P(value) / P(any of the values), among the most likely tokens along the value.

    logprobs: of a choice, as the server gives it; content: the message's text; start: where the value begins in it,
    None if nobody knows; value: as it is spelled there; values: all that are possible there, in any case.
    Each token counts until no other value begins with what is written; if the value is itself the beginning of another
    one, that takes the token after it.
    None without logprobs, if the tokens cannot be aligned with the text or break off too early, if the value does not
    start there or is none of the values, and if no likely token leads to any of them.
    """
    aligned = _aligned(logprobs, content, start)
    if start is None or aligned is None or content[start : start + len(value)].lower() != value.lower():
        return None
    tokens, offset = aligned
    lead = _bytes(tokens[0])[: _with_immaterial(_bytes(tokens[0]), offset)]
    text = b"".join(map(_bytes, tokens))[len(lead) :].decode("utf-8", "replace")
    has_blanks = text.lower().startswith(value.lower())
    rivals = {_spelled(each, has_blanks) for each in values} - {""}
    return _product(tokens, lead, has_blanks, _spelled(value, has_blanks), rivals, _closing(content, start))


def _product(
    tokens: list[Any], lead: bytes, has_blanks: bool, value: str, rivals: set[str], closing: re.Pattern[str]
) -> float | None:
    """The product, over the tokens along a value, of its share in the mass of all values that are still possible.

    lead: what the first token carries before the value; has_blanks: whether blanks in values show in the tokens.
    """
    probability, written = 1.0, b""
    for token in tokens:
        if not (piece := _piece(_bytes(token), lead, written, has_blanks)):
            continue
        of_value = of_any = 0.0
        for candidate, share in _likely(token).items():
            other = _piece(candidate, lead, written, has_blanks)
            possible = _possible(written + other, rivals, closing) if other else set()
            of_value += share if value in possible else 0
            of_any += share if possible else 0
        written += piece
        rivals = _possible(written, rivals, closing)
        if of_any == 0 or value not in rivals:
            return None
        probability *= of_value / of_any
        if len(rivals) == 1:
            return probability
    return None


def _possible(written: bytes, values: set[str], closing: re.Pattern[str]) -> set[str]:
    """The values that begin with what is written, which may end within a character, or else the one that it closes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text, piece = decoder.decode(written).lower(), decoder.getstate()[0]
    possible = {value for value in values if value.startswith(text) and _begins_with_piece(value[len(text) :], piece)}
    closed = [value for value in values if text.startswith(value) and closing.match(text, len(value))]
    return possible or set(sorted(closed, key=len)[-1:])


def _begins_with_piece(rest: str, piece: bytes) -> bool:
    """Whether a text begins with a character, small or capital, that has these first bytes."""
    return any(letter.encode("utf-8", "replace").startswith(piece) for letter in (rest[:1], rest[:1].upper()))


def _closing(content: str, start: int) -> re.Pattern[str]:
    """What ends a value: the mark before it, or without a mark whatever is not part of a word."""
    mark = content[:start][-1:]
    return re.compile(mark if mark in ('"', "'") else r"\W")


def _spelled(value: str, has_blanks: bool) -> str:
    return (value if has_blanks else _material(value).decode("utf-8")).lower()


def _piece(token: bytes, lead: bytes, written: bytes, has_blanks: bool) -> bytes:
    """What a token adds to what is written of the value: the first one can carry blanks and marks before it."""
    added = token if written else token.removeprefix(lead).lstrip(_LEAD)
    return added if has_blanks else _IMMATERIAL.sub(b"", added)


def _aligned(logprobs: Any, content: str, start: int | None) -> tuple[list[Any], int] | None:
    """The tokens from the one with this start on, and how many bytes that matter come before the start in that token.

    None if that is uncertain.
    """
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if start is None or not isinstance(tokens, list) or not all(isinstance(_token(token), str) for token in tokens):
        return None
    pieces = [_IMMATERIAL.sub(b"", _bytes(token)) for token in tokens]
    position = _position(b"".join(pieces), content, start)
    if position is None:
        return None
    end = 0
    for number, piece in enumerate(pieces):
        end += len(piece)
        if end > position:
            return tokens[number:], position - (end - len(piece))
    return None


def _with_immaterial(token: bytes, offset: int) -> int:
    """Where in a token the byte is that has so many bytes that matter before it."""
    for immaterial in _IMMATERIAL.finditer(token):
        if immaterial.start() <= offset:
            offset += len(immaterial[0])
    return offset


def _position(joined: bytes, content: str, start: int) -> int | None:
    """Where the decision is in the joined tokens; None if that is uncertain."""
    word = _WORD.match(content, start)
    whole, head = _material(content), _material(content[:start])
    if joined.endswith(whole):
        # With separate thinking, or without: what was written is what comes last.
        return len(joined) - len(whole) + len(head)
    if whole and joined.count(whole) == 1:
        # Some servers take off the fences that the model wrote around its answer.
        return joined.index(whole) + len(head)
    # Tokens that break off, or of which one is a piece of a character, still begin as the text does.
    beginning = head + _material(word[0] if word else content[start:])
    return len(head) if joined.startswith(beginning) and joined.count(beginning) == 1 else None


def _material(text: str) -> bytes:
    return _IMMATERIAL.sub(b"", text.encode("utf-8", "replace"))


def _bytes(token: dict[str, Any]) -> bytes:
    """The bytes of a token: some are a piece of a character, which its text cannot show."""
    listed = token.get("bytes")
    if isinstance(listed, list) and listed and all(type(byte) is int and 0 <= byte < 256 for byte in listed):
        return bytes(listed)
    return str(token["token"]).encode("utf-8", "replace")


def _token(entry: Any) -> Any:
    return entry.get("token") if isinstance(entry, dict) else None


def _candidates(token: dict[str, Any]) -> Iterator[tuple[dict[str, Any], float]]:
    """A token, and those that could have come instead, each with its probability if that can be read."""
    others = token.get("top_logprobs")
    for candidate in [token, *(others if isinstance(others, list) else [])]:
        logprob = candidate.get("logprob") if isinstance(_token(candidate), str) else None
        # Some servers write a probability of zero as null; what is above one is no probability.
        if isinstance(logprob, int | float) and not isinstance(logprob, bool) and logprob <= _ABOUT_ZERO:
            # A whole number of any length can stand there, which no float takes.
            yield candidate, math.exp(max(logprob, -1e6))


def _likely(token: dict[str, Any]) -> dict[bytes, float]:
    """The probabilities by the tokens' bytes: the texts of different pieces of characters can be the same."""
    return {_bytes(candidate): share for candidate, share in _candidates(token)}


def _share_of_true(token: dict[str, Any]) -> float | None:
    likely = {candidate["token"]: share for candidate, share in _candidates(token)}
    true = sum(share for token, share in likely.items() if _begins(token, "true"))
    false = sum(share for token, share in likely.items() if _begins(token, "false"))
    return true / (true + false) if true + false > 0 else None


def _begins(token: str, word: str) -> bool:
    # A token may carry the blank before the value, or be its first letters only.
    core = token.strip(' ":\n').lower().split(",")[0].split("}")[0]
    return bool(core) and (word.startswith(core) or core.startswith(word))
