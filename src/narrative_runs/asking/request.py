"""What is asked about one narrative, and its fingerprint."""

import hashlib
import json
from collections.abc import Collection
from typing import Any

from narrative_runs.codebook.form import in_words
from narrative_runs.codebook.schema import schema
from narrative_runs.codebook.variables import CODEBOOK_MARK
from narrative_runs.params import TEXT_MARK, Params
from narrative_runs.source.shards import Narrative

# Where each part of a request stands that a server may not take, though the answer can do without.
PARTS = {"schema": "response_format", "logprobs": "logprobs"}

# How to leave out what a server does not take.
WAYS_TO_LEAVE_OUT = {
    "temperature": "model.temperature: null",
    "seed": "run.seed: null",
    "max_tokens": "model.max_tokens: null",
    "response_format": "model.structured_output: plain",
    "logprobs": "model.logprobs: false",
}

# Enough for the tokens of true and false to be among them, and within what every server allows.
TOP_LOGPROBS = 5
# Stands for the message of a request; no prompt holds such characters.
_MESSAGE = "\0message\0"


class Question:
    """What one experiment asks of every narrative."""

    def __init__(self, params: Params) -> None:
        """Take the frozen params; nothing else makes a question."""
        self._template = _with_codebook(params.prompt.user_template, params)
        self._system = _with_codebook(params.prompt.system_prompt, params)
        self._settings: dict[str, Any] = {
            "model": params.model.name,
            "temperature": params.model.temperature,
            "seed": params.run.seed,
            "max_tokens": params.model.max_tokens,
            "logprobs": params.model.logprobs,
            # As it stands after a round trip through JSON, so that keys that are numbers change no fingerprint.
            "extra_body": json.loads(json.dumps(params.model.extra_body)),
        }
        self._schema = None if params.model.structured_output == "plain" else schema(params.variables)
        self._around: dict[frozenset[str], list[str]] = {}
        self._needs_schema = params.model.structured_output == "json_schema"
        self._digest = hashlib.sha256(_canonical([self._settings, self._schema, self._system, self._template]))

    @property
    def digest(self) -> str:
        """The sha256, in hex, of all that decides the answers except the narrative: settings, schema and prompts."""
        return self._digest.hexdigest()

    def fingerprint(self, narrative: Narrative) -> str:
        """The sha256, in hex, of all that decides the answer: settings, schema, prompts, incident, type and text."""
        digest = self._digest.copy()
        digest.update(_canonical([narrative.incident_id, narrative.narrative_type, narrative.narrative_text]))
        return digest.hexdigest()

    def body(self, narrative: Narrative, unsupported: Collection[str] = ()) -> bytes:
        """The JSON body of a chat-completions request.

        unsupported: what this server does not take: a schema, or token probabilities (`schema`, `logprobs`).
        """
        parts = self._around_the_message(frozenset(unsupported))
        return json.dumps(self._message(narrative.narrative_text)).join(parts).encode()

    def about_nothing(self, unsupported: Collection[str] = (), but: Collection[str] = (), model: str = "") -> bytes:
        """The body of a request of the same kind about no narrative; but: keys left out; model: another one to ask."""
        request = self._request(self._message("No narrative."), unsupported)
        if model:
            request["model"] = model
        return json.dumps({key: value for key, value in request.items() if key not in but}).encode()

    def parts(self, unsupported: Collection[str] = ()) -> set[str]:
        """The parts of a request that can be left out, and are not yet."""
        request = self._request("", unsupported)
        return {part for part, key in PARTS.items() if key in request and key not in self._settings["extra_body"]}

    @property
    def needed_parts(self) -> set[str]:
        """Those of them that the params insist on."""
        return {"schema"} if self._needs_schema else set()

    def ways_to_leave_out(self, unsupported: Collection[str] = ()) -> dict[str, str]:
        """The keys of a request that the params can leave out, each with the way to do so."""
        extra = self._settings["extra_body"]
        ways = {key: f"remove {key} from model.extra_body" for key in extra}
        request = self._request("", unsupported)
        return ways | {key: way for key, way in WAYS_TO_LEAVE_OUT.items() if key in request and key not in extra}

    def _message(self, text: str) -> str:
        # The template is filled in a single pass: a mark inside the narrative is only text.
        return self._template.replace(TEXT_MARK, text)

    def _around_the_message(self, unsupported: frozenset[str]) -> list[str]:
        """The JSON of a request before and after its message, which alone differs between narratives; written once, as
        that takes longer than to write the message."""
        if unsupported not in self._around:
            self._around[unsupported] = json.dumps(self._request(_MESSAGE, unsupported)).split(json.dumps(_MESSAGE))
        return self._around[unsupported]

    def _request(self, message: str, unsupported: Collection[str]) -> dict[str, Any]:
        settings = self._settings
        messages = [{"role": "system", "content": self._system}] if self._system else []
        messages.append({"role": "user", "content": message})
        request: dict[str, Any] = {"model": settings["model"], "messages": messages}
        request |= {key: settings[key] for key in ("temperature", "seed", "max_tokens") if settings[key] is not None}
        if self._schema is not None and "schema" not in unsupported:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": self._schema},
            }
        if settings["logprobs"] and "logprobs" not in unsupported:
            request["logprobs"] = True
            request["top_logprobs"] = TOP_LOGPROBS
        return {**request, **settings["extra_body"]}


def _with_codebook(prompt: str, params: Params) -> str:
    """A prompt with the codebook in words instead of its mark, if there is a codebook."""
    return prompt if params.codebook is None else prompt.replace(CODEBOOK_MARK, in_words(params.codebook))


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
