"""What is asked for one narrative, and its fingerprint."""

import hashlib
import json
from typing import Any

from narrative_runs.params import TEXT_MARK, Params
from narrative_runs.source.shards import Narrative

ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "detected": {"type": "boolean"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "indicators": {"type": "array", "items": {"type": "string"}},
        "rationale": {"type": "string"},
    },
    "required": ["detected", "confidence", "indicators", "rationale"],
    "additionalProperties": False,
}

# Enough for the tokens of true and false to be among them, and within what every server allows.
TOP_LOGPROBS = 5


class Question:
    """What one experiment asks of every narrative."""

    def __init__(self, params: Params) -> None:
        """Take the frozen params; nothing else makes a question."""
        self._template = params.prompt.user_template
        self._system = params.prompt.system_prompt
        self._settings: dict[str, Any] = {
            "model": params.model.name,
            "temperature": params.model.temperature,
            "seed": params.run.seed,
            "max_tokens": params.model.max_tokens,
            "logprobs": params.model.logprobs,
            # As it stands after a round trip through JSON, so that keys that are numbers change no fingerprint.
            "extra_body": json.loads(json.dumps(params.model.extra_body)),
        }
        self._schema = None if params.model.structured_output == "plain" else ANSWER_SCHEMA
        self._digest = hashlib.sha256(_canonical([self._settings, self._schema, self._system, self._template]))

    def fingerprint(self, narrative: Narrative) -> str:
        """The sha256, in hex, of all that decides the answer: settings, schema, prompts, incident, type and text."""
        digest = self._digest.copy()
        digest.update(_canonical([narrative.incident_id, narrative.narrative_type, narrative.narrative_text]))
        return digest.hexdigest()

    def body(self, narrative: Narrative, structured: bool, logprobs: bool) -> bytes:
        """The JSON body of a chat-completions request.

        structured, logprobs: whether this server takes a schema, and gives token probabilities.
        """
        settings = self._settings
        messages = [{"role": "system", "content": self._system}] if self._system else []
        # The template is filled in a single pass: a mark inside the narrative is only text.
        messages.append({"role": "user", "content": self._template.replace(TEXT_MARK, narrative.narrative_text)})
        body: dict[str, Any] = {
            "model": settings["model"],
            "messages": messages,
            "temperature": settings["temperature"],
            "seed": settings["seed"],
        }
        if settings["max_tokens"] is not None:
            body["max_tokens"] = settings["max_tokens"]
        if self._schema is not None and structured:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": self._schema},
            }
        if settings["logprobs"] and logprobs:
            body["logprobs"] = True
            body["top_logprobs"] = TOP_LOGPROBS
        return json.dumps({**body, **settings["extra_body"]}).encode()

    def trial(self, structured: bool, logprobs: bool) -> bytes:
        """The body of a request about no narrative: it tells whether the server answers at all."""
        return self.body(Narrative(0, "", "", "No narrative.", None, None), structured, logprobs)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
