"""Messages for the user about the answers as they come, each shown once: a pure look at journal entries."""

from typing import Any

from narrative_runs.asking import reply
from narrative_runs.asking.request import PARTS
from narrative_runs.params import Params
from narrative_runs.results import Result, is_cut_off

FEWEST = 5


class AnswerPatterns:
    """Looks at the answers of one session."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._answers = 0
        self._cut_off = 0
        self._counts_are_odd = False
        self._has_probability = False
        self._follows_schema = False

    def see(self, entry: dict[str, Any], result: Result | None, unsupported: set[str]) -> list[str]:
        """Take in one journal entry and the result it gives; returns messages to show.

        unsupported: the parts of a request that the server is known not to take.
        """
        response = entry.get("response")
        if response is None:
            return []
        said = []
        if reply.counts_are_odd(response) and not self._counts_are_odd:
            self._counts_are_odd = True
            said.append("The server's token counts look wrong; counts that cannot be read stay empty.")
        if result is None or result.error_occurred:
            return said
        self._answers += 1
        self._cut_off += is_cut_off(response)
        self._has_probability |= result.p_detected is not None
        self._follows_schema |= (result.raw_response or "").lstrip().startswith("{")
        if self._answers == FEWEST:
            said += self._ignored(unsupported)
        return said

    def at_the_end(self) -> list[str]:
        """Messages to show when the session ends."""
        if not self._cut_off:
            return []
        return [
            f"{self._cut_off} of {self._answers} answers were cut off at model.max_tokens, although they "
            "contain all values and count. A new experiment with a higher limit is safer."
        ]

    def _ignored(self, unsupported: set[str]) -> list[str]:
        model = self._params.model
        said = []
        if model.logprobs and "logprobs" not in unsupported and not self._has_probability:
            said.append(
                "The server ignores model.logprobs: its answers have no token probabilities, and p_detected is empty."
            )
        asks_schema = model.structured_output != "plain" and PARTS["schema"] not in model.extra_body
        if asks_schema and "schema" not in unsupported and not self._follows_schema:
            said.append(
                "The server ignores the JSON schema: its answers contain other text as well; the JSON is read from it."
            )
        return said
