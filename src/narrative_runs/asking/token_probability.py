"""How likely a server thought the value that stands at a place of the answer, against others that could stand there."""

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


def probability_of_true(logprobs: Any, content: str, place: int | None) -> float | None:
    """P(true) / (P(true) + P(false)) among the most likely tokens where the decision begins.

    logprobs: of a choice, as the server gives it; content: the message's text; place: of the decision in it, None
    where nobody knows it.
    None without logprobs, and where the tokens cannot be aligned with the text.
    """
    found = _aligned(logprobs, content, place)
    return None if found is None else _share_of_true(found[0][0])


def probability_of(logprobs: Any, content: str, place: int | None, value: str, values: Sequence[str]) -> float | None:
    """P(value) / P(any of the values), among the most likely tokens along the value.

    logprobs: of a choice, as the server gives it; content: the message's text; place: of the value's first letter in
    it, None where nobody knows it; value: as it is spelled there; values: all that could stand there, in any case.
    Each token counts until no other value begins as what is written; where the value is itself the beginning of
    another one, that takes the token behind it.
    None without logprobs, where the tokens cannot be aligned with the text or break off too early, where the value
    does not stand at the place or is none of the values, and where no likely token leads to any of them.
    """
    found = _aligned(logprobs, content, place)
    if place is None or found is None or content[place : place + len(value)].lower() != value.lower():
        return None
    tokens, offset = found
    lead = _bytes(tokens[0])[: _with_immaterial(_bytes(tokens[0]), offset)]
    told = b"".join(map(_bytes, tokens))[len(lead) :].decode("utf-8", "replace")
    has_blanks = told.lower().startswith(value.lower())
    rivals = {_spelled(each, has_blanks) for each in values} - {""}
    return _product(tokens, lead, has_blanks, _spelled(value, has_blanks), rivals, _closing(content, place))


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


def _possible(told: bytes, values: set[str], closing: re.Pattern[str]) -> set[str]:
    """The values that begin as what was told, which may end within a character, or else the one that it closes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text, piece = decoder.decode(told).lower(), decoder.getstate()[0]
    begun = {value for value in values if value.startswith(text) and _begins_with_piece(value[len(text) :], piece)}
    closed = [value for value in values if text.startswith(value) and closing.match(text, len(value))]
    return begun or set(sorted(closed, key=len)[-1:])


def _begins_with_piece(rest: str, piece: bytes) -> bool:
    """Whether a text begins with a character, small or capital, of which these are the first bytes."""
    return any(letter.encode("utf-8", "replace").startswith(piece) for letter in (rest[:1], rest[:1].upper()))


def _closing(content: str, place: int) -> re.Pattern[str]:
    """What ends a value: the mark that stands before it, or without one whatever is no part of a word."""
    mark = content[:place][-1:]
    return re.compile(mark if mark in ('"', "'") else r"\W")


def _spelled(value: str, has_blanks: bool) -> str:
    return (value if has_blanks else _material(value).decode("utf-8")).lower()


def _piece(token: bytes, lead: bytes, written: bytes, has_blanks: bool) -> bytes:
    """What a token adds to what is written of the value: the first one can carry blanks and marks before it."""
    added = token if written else token.removeprefix(lead).lstrip(_LEAD)
    return added if has_blanks else _IMMATERIAL.sub(b"", added)


def _aligned(logprobs: Any, content: str, place: int | None) -> tuple[list[Any], int] | None:
    """The tokens from that on in which the place lies, and how many bytes that matter this one has before it.

    None where that cannot be told for certain.
    """
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if place is None or not isinstance(tokens, list) or not all(isinstance(_token(token), str) for token in tokens):
        return None
    pieces = [_IMMATERIAL.sub(b"", _bytes(token)) for token in tokens]
    position = _position(b"".join(pieces), content, place)
    if position is None:
        return None
    end = 0
    for number, piece in enumerate(pieces):
        end += len(piece)
        if end > position:
            return tokens[number:], position - (end - len(piece))
    return None


def _with_immaterial(token: bytes, offset: int) -> int:
    """Where in a token the byte stands that has so many that matter before it."""
    for immaterial in _IMMATERIAL.finditer(token):
        if immaterial.start() <= offset:
            offset += len(immaterial[0])
    return offset


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


def _candidates(token: dict[str, Any]) -> Iterator[tuple[dict[str, Any], float]]:
    """A token, and those that could have stood in its place, each with its probability where that can be read."""
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
