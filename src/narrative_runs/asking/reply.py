"""The parts of a chat-completions reply, as LM Studio, Ollama, vLLM, llama.cpp and the OpenAI API write them."""

import math
import re
from dataclasses import dataclass
from typing import Any

from narrative_runs.asking.answer import apart_from_thinking, fit_for_files

# More tokens than any context holds: what is larger is no count.
LARGEST_COUNT = 2**31 - 1
# Rounding lets the logarithm of a probability of one be a little above zero.
_ABOUT_ZERO = 0.01
_DIGITS = re.compile(r"[0-9]{1,10}")
_DETECTED_KEY = re.compile(r'"detected"\s*:\s*')


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the server.

    written: the answer's text, without thinking; thought: the thinking, if the server or the model tells it;
    finish_reason: `stop`, `length`, `content_filter`, ...; tokens: counts, None where the server gives none;
    p_detected: probability of true against false at the answer's token, None without logprobs.
    """

    written: str
    thought: str | None
    finish_reason: str | None
    refusal: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    p_detected: float | None


def is_reply(body: Any) -> bool:
    """Whether a decoded body is a chat-completions reply at all."""
    try:
        return isinstance(body["choices"][0]["message"], dict)
    except (KeyError, IndexError, TypeError):
        return False


def read(body: dict[str, Any]) -> Reply:
    """The parts of a decoded reply for which `is_reply` holds."""
    choice = body["choices"][0]
    message = choice["message"]
    content = _text(message.get("content"))
    written, thought = apart_from_thinking(content)
    usage = _usage(body)
    return Reply(
        written=written,
        thought=_text(message.get("reasoning_content")) or _text(message.get("reasoning")) or thought,
        finish_reason=_text(choice.get("finish_reason")) or None,
        refusal=_text(message.get("refusal")) or None,
        model=_text(body.get("model")) or None,
        prompt_tokens=count_of(usage.get("prompt_tokens")),
        completion_tokens=count_of(usage.get("completion_tokens")),
        p_detected=_probability_of_true(choice.get("logprobs")),
    )


def tokens_used(body: dict[str, Any]) -> int:
    """Prompt and completion tokens together; 0 where the server does not count."""
    usage = _usage(body)
    return count_of(usage.get("total_tokens")) or sum(
        count_of(usage.get(part)) or 0 for part in ("prompt_tokens", "completion_tokens")
    )


def count_of(value: Any) -> int | None:
    """A count as servers write it, 40, 40.0 or "40"; None for what is none, such as 40.5, "n/a" or 10^30."""
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT
    return value if is_count else None


def _usage(body: dict[str, Any]) -> dict[str, Any]:
    usage = body.get("usage")
    return usage if isinstance(usage, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return fit_for_files(value) if isinstance(value, str) else ""


def _probability_of_true(logprobs: Any) -> float | None:
    """P(true) / (P(true) + P(false)) among the most likely tokens where the value of `detected` begins."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(_token(token), str) for token in tokens):
        return None
    key = _DETECTED_KEY.search("".join(token["token"] for token in tokens))
    if key is None:
        return None
    end = 0
    for token in tokens:
        end += len(token["token"])
        if end > key.end():
            others = token.get("top_logprobs")
            return _share_of_true([token, *(others if isinstance(others, list) else [])])
    return None


def _token(entry: Any) -> Any:
    return entry.get("token") if isinstance(entry, dict) else None


def _share_of_true(candidates: list[Any]) -> float | None:
    likely: dict[str, float] = {}
    for candidate in candidates:
        token = _token(candidate)
        logprob = candidate.get("logprob") if isinstance(token, str) else None
        # Some servers write a probability of zero as null; what is above one is no probability.
        if isinstance(logprob, int | float) and logprob <= _ABOUT_ZERO:
            likely[token] = math.exp(logprob)
    true = sum(share for token, share in likely.items() if _begins(token, "true"))
    false = sum(share for token, share in likely.items() if _begins(token, "false"))
    return true / (true + false) if true + false > 0 else None


def _begins(token: str, word: str) -> bool:
    # A token may carry the blank before the value, or be its first letters only.
    core = token.strip(' ":\n').lower().split(",")[0].split("}")[0]
    return bool(core) and (word.startswith(core) or core.startswith(word))
