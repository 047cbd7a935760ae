"""The parts of a chat-completions reply, as LM Studio, Ollama, vLLM, llama.cpp and the OpenAI API write them."""

import re
from dataclasses import dataclass
from typing import Any

from narrative_runs.asking.thinking import apart_from_thinking
from narrative_runs.codebook.nesting import is_shallow
from narrative_runs.codebook.texts import fit_for_files

# More tokens than any context holds: what is larger is no count.
LARGEST_COUNT = 2**31 - 1
# Far from what a JSON encoder or decoder can take, wherever the reply is written and read again.
DEEPEST = 100
_DIGITS = re.compile(r"[0-9]{1,10}")
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_THOUGHT = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_THINKING_PARTS = ("thinking", "reasoning", "reasoning_text", "reasoning_content", "thought")
_NORMAL_ENDS = {
    *("stop", "stop_sequence", "stopped", "eos", "eos_token", "end", "end_turn", "end_of_turn"),
    *("complete", "completed", "done", "finish", "finished", "success"),
    *("tool_calls", "tool_call", "tool_use", "function_call"),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the server.

    written: the answer's text, without thinking; thought: the thinking, if the server or the model gives
    it; finish_reason: `stop`, `length`, `content_filter`, ...; prompt_tokens, completion_tokens: None if nobody knows
    them; is_draft_open: whether the text has thinking that starts and never ends; logprobs: as the server gives them,
    None if it gives none; content: the message's text with its thinking, to which they belong; masked: as long as that,
    with blanks instead of the thinking.
    """

    written: str
    thought: str | None
    finish_reason: str | None
    refusal: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    is_draft_open: bool = False
    logprobs: dict[str, Any] | None = None
    content: str = ""
    masked: str = ""

    @property
    def is_at_its_end(self) -> bool:
        """Whether the model ended by itself, as far as the server says."""
        return self.finish_reason is None or self.finish_reason.strip().lower() in _NORMAL_ENDS


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of one reply, None if nobody knows them; `together` is 0 if nothing was counted.

    Prompt tokens include those from a cache, completion tokens those of the reasoning.
    """

    prompt: int | None
    completion: int | None
    together: int


def is_reply(body: Any) -> bool:
    """Whether a decoded body is a chat-completions reply at all, and one that can be written and read again."""
    try:
        return isinstance(body["choices"][0]["message"], dict) and is_shallow(body, DEEPEST)
    except (KeyError, IndexError, TypeError):
        return False


def read(body: dict[str, Any]) -> Reply:
    """The parts of a decoded reply for which `is_reply` holds."""
    choice = body["choices"][0]
    message = choice["message"]
    written = _text(_parts(message.get("content"), are_thinking=False))
    content = apart_from_thinking(written)
    counts = counts_of(body)
    thoughts = [*(_text(message.get(name)) for name in _THOUGHT), _thought_in(message.get("content"))]
    return Reply(
        written=content.written,
        thought=next(filter(None, thoughts), content.thought),
        finish_reason=finish_reason_of(body),
        refusal=_text(message.get("refusal")) or _refusal_in(message.get("content")) or None,
        model=model_of(body),
        prompt_tokens=counts.prompt,
        completion_tokens=counts.completion,
        is_draft_open=content.is_draft_open,
        logprobs=_logprobs(choice.get("logprobs")),
        content=written,
        masked=content.masked,
    )


def finish_reason_of(body: dict[str, Any]) -> str | None:
    """Why the answer ended, as the server gives it, None if it gives no reason."""
    return _text(body["choices"][0].get("finish_reason")) or None


def model_of(body: dict[str, Any]) -> str | None:
    """The model's name as the server gives it, None if it gives none."""
    return _text(body.get("model")) or None


def tokens_used(body: dict[str, Any]) -> int:
    """Prompt and completion tokens together; 0 if the server does not count."""
    return counts_of(body).together


def counts_of(body: dict[str, Any]) -> Counts:
    """The tokens of a reply, from the server's counts if they can be read."""
    usage = _mapping(body.get("usage"))
    total = count_of(usage.get("total_tokens"))
    prompt = _with_part(usage, "prompt_tokens", "cached_tokens")
    completion = _with_part(usage, "completion_tokens", "reasoning_tokens")
    if total is not None and prompt is not None and total > prompt + (completion or 0):
        completion = total - prompt
    return Counts(prompt, completion, max(total or 0, (prompt or 0) + (completion or 0)))


def counts_are_odd(body: dict[str, Any]) -> bool:
    """Whether a reply has a usage with a count that cannot be read; a usage that is missing or null is not odd."""
    usage = body.get("usage")
    if usage is None:
        return False
    counts = [_mapping(usage).get(name) for name in _COUNTS]
    return not isinstance(usage, dict) or any(value is not None and count_of(value) is None for value in counts)


def count_of(value: Any) -> int | None:
    """A count as servers write it, 40, 40.0 or "40"; None for anything else, such as 40.5, "n/a" or 10^30."""
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT
    return value if is_count else None


def _with_part(usage: dict[str, Any], name: str, part: str) -> int | None:
    """A count, plus the part that it should include if it cannot have been included."""
    count, included = count_of(usage.get(name)), count_of(_mapping(usage.get(f"{name}_details")).get(part))
    return count + included if count is not None and included is not None and count < included else count


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _logprobs(logprobs: Any) -> dict[str, Any] | None:
    return logprobs if _mapping(logprobs).get("content") else None


def _text(value: Any) -> str:
    """A text, or those of several parts, one after the other."""
    if isinstance(value, list):
        value = "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return fit_for_files(value) if isinstance(value, str) else ""


def _parts(content: Any, are_thinking: bool) -> Any:
    """A content's parts that are thinking, or those that are not; a content without parts is all written."""
    if not isinstance(content, list):
        return None if are_thinking else content
    return [part for part in content if isinstance(part, dict) and _is_thinking(part) == are_thinking]


def _is_thinking(part: dict[str, Any]) -> bool:
    return part.get("type") in _THINKING_PARTS or part.get("thought") is True


def _thought_in(content: Any) -> str:
    parts = _parts(content, are_thinking=True) or []
    return "".join(_text(part.get("thinking")) or _text(part.get("text")) for part in parts)


def _refusal_in(content: Any) -> str:
    parts = content if isinstance(content, list) else []
    return "".join(_text(part.get("refusal")) for part in parts if isinstance(part, dict))
