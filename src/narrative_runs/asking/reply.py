"""The parts of a chat-completions reply, as LM Studio, Ollama, vLLM, llama.cpp and the OpenAI API write them."""

import math
import re
from dataclasses import dataclass
from typing import Any

from narrative_runs.asking.answer import apart_from_thinking, fit_for_files

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
    usage = body.get("usage") or {}
    return Reply(
        written=written,
        thought=_text(message.get("reasoning_content")) or _text(message.get("reasoning")) or thought,
        finish_reason=choice.get("finish_reason"),
        refusal=_text(message.get("refusal")) or None,
        model=_text(body.get("model")) or None,
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        p_detected=_probability_of_true(choice.get("logprobs")),
    )


def tokens_used(body: dict[str, Any]) -> int:
    """Prompt and completion tokens together; 0 where the server does not count."""
    usage = body.get("usage") or {}
    return int(usage.get("total_tokens") or 0) or sum(
        int(usage.get(part) or 0) for part in ("prompt_tokens", "completion_tokens")
    )


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return fit_for_files(value) if isinstance(value, str) else ""


def _probability_of_true(logprobs: Any) -> float | None:
    """P(true) / (P(true) + P(false)) among the most likely tokens where the value of `detected` begins."""
    tokens = (logprobs or {}).get("content") if isinstance(logprobs, dict) else None
    if not tokens:
        return None
    key = _DETECTED_KEY.search("".join(token["token"] for token in tokens))
    if key is None:
        return None
    end = 0
    for token in tokens:
        end += len(token["token"])
        if end > key.end():
            return _share_of_true([token, *(token.get("top_logprobs") or [])])
    return None


def _share_of_true(candidates: list[dict[str, Any]]) -> float | None:
    likely: dict[str, float] = {}
    for candidate in candidates:
        # Some servers write a probability of zero as null.
        if isinstance(candidate.get("logprob"), int | float):
            likely[candidate["token"]] = math.exp(candidate["logprob"])
    true = sum(share for token, share in likely.items() if _begins(token, "true"))
    false = sum(share for token, share in likely.items() if _begins(token, "false"))
    return true / (true + false) if true + false > 0 else None


def _begins(token: str, word: str) -> bool:
    # A token may carry the blank before the value, or be its first letters only.
    core = token.strip(' ":\n').lower().split(",")[0].split("}")[0]
    return bool(core) and (word.startswith(core) or core.startswith(word))
