"""Evidence requests: is the server well, and which parts of a request does it not take?

They are in no journal. Conclusions about a part of the request rest on questions that hold no narrative: the same one,
with the part and without it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from narrative_runs.asking import reply
from narrative_runs.asking.advice import advised
from narrative_runs.asking.client import Client
from narrative_runs.asking.failures import Failure, Kind, RequestFailed
from narrative_runs.asking.request import Question
from narrative_runs.source.shards import Narrative

NO_MODEL = "no-model-has-this-name"
# After these a second request of another form would fail as well.
_SAY_NOTHING_OF_FORM = (Kind.UNREACHABLE, Kind.TIMED_OUT, Kind.RATE_LIMITED, Kind.UNTRUSTED, Kind.UNSENDABLE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The outcome of evidence requests.

    failure: None if the server is well; characters: length of the narrative that was answered again, 0 for none;
    tokens, requests: what was used; unsupported: parts that the server does not take (`schema`, `logprobs`);
    model: as the server named it, empty if it did not.
    """

    failure: Failure | None
    characters: int = 0
    tokens: int = 0
    requests: int = 1
    unsupported: tuple[str, ...] = ()
    model: str = ""


async def look_for_evidence(
    question: Question,
    client: Client,
    unsupported: Collection[str],
    narrative: Narrative | None,
    parts_are_proved: bool,
) -> Evidence:
    """Ask again for a narrative that was answered before, or a short question about none.

    unsupported: parts that are left out already; parts_are_proved: whether a request with all other parts was answered
    in this session, so that they are not to blame.
    """
    questions = _Questions(question, client)
    if narrative is None:
        failure = await questions.about_nothing(unsupported)
        if failure is None:
            return questions.outcome(None)
        return await _with_less(questions, unsupported, failure, parts_are_proved)
    failure = await questions.about(narrative, unsupported)
    if failure is None:
        return replace(questions.outcome(None), characters=len(narrative.narrative_text))
    if failure.kind in _SAY_NOTHING_OF_FORM:
        return questions.outcome(failure)
    failure_about_nothing = await questions.about_nothing(unsupported)
    if failure_about_nothing is None:
        reason = f"the server no longer takes a narrative that it answered before ({failure.message})"
        if failure.seems_too_long:
            reason += ": it seems to be loaded with a shorter context than before"
        return questions.outcome(replace(failure, reason=reason))
    return await _with_less(questions, unsupported, failure_about_nothing, parts_are_proved)


async def repeats_any_name(question: Question, client: Client, unsupported: Collection[str]) -> bool:
    """Whether the server answers under a name that no model has, so that the names in its answers prove nothing."""
    body = question.about_nothing(unsupported, model=NO_MODEL)
    try:
        answered = await client.ask(body, has_narrative=False, is_evidence=True)
    except RequestFailed:
        return False
    return reply.model_of(answered) == NO_MODEL


async def _with_less(
    questions: "_Questions", unsupported: Collection[str], failure: Failure, parts_are_proved: bool
) -> Evidence:
    """The outcome of a question about nothing that failed: is a part of the request to blame?"""
    question = questions.question
    parts, keys = question.parts(unsupported), set(question.ways_to_leave_out(unsupported))
    can_tell = failure.kind not in _SAY_NOTHING_OF_FORM and not parts_are_proved and (parts or keys)
    if not can_tell or await questions.about_nothing({*unsupported, *parts}, keys) is not None:
        return questions.outcome(questions.advised(failure, unsupported))
    for _ in range(2):
        # Twice in a row, because two servers may take turns, of which only one is well.
        if await questions.about_nothing(unsupported) is None:
            return questions.outcome(None)
    if parts and await questions.about_nothing({*unsupported, *parts}) is None:
        refused = await _refused_parts(questions, unsupported, parts)
        if needed := refused & question.needed_parts:
            return questions.outcome(questions.advised(failure, unsupported, needed))
        return replace(questions.outcome(None), unsupported=tuple(sorted(refused)))
    blamed = {key for key in sorted(keys) if await questions.about_nothing(unsupported, {key}) is None}
    return questions.outcome(questions.advised(failure, unsupported, blamed))


async def _refused_parts(questions: "_Questions", unsupported: Collection[str], parts: set[str]) -> set[str]:
    """Those of `parts` that each make the question fail alone; all of them if only several together do."""
    if len(parts) == 1:
        return parts
    alone = {
        part for part in sorted(parts) if await questions.about_nothing({*unsupported, *(parts - {part})}) is not None
    }
    return alone or parts


class _Questions:
    """Questions to one server, counted."""

    def __init__(self, question: Question, client: Client) -> None:
        self.question = question
        self._client = client
        self._tokens = 0
        self._requests = 0
        self._model = ""

    async def about(self, narrative: Narrative, unsupported: Collection[str]) -> Failure | None:
        return await self._ask(self.question.body(narrative, unsupported), True)

    async def about_nothing(self, unsupported: Collection[str], but: Collection[str] = ()) -> Failure | None:
        return await self._ask(self.question.about_nothing(unsupported, but), False)

    def outcome(self, failure: Failure | None) -> Evidence:
        return Evidence(failure, tokens=self._tokens, requests=self._requests, model=self._model)

    def advised(self, failure: Failure, unsupported: Collection[str], blamed: Collection[str] = ()) -> Failure:
        ways = self.question.ways_to_leave_out(unsupported)
        return replace(failure, reason=advised(failure, ways, blamed, self._client.has_key))

    async def _ask(self, body: bytes, has_narrative: bool) -> Failure | None:
        self._requests += 1
        try:
            answered = await self._client.ask(body, has_narrative, is_evidence=True)
        except RequestFailed as failed:
            return failed.failure
        self._tokens += reply.tokens_used(answered)
        self._model = reply.model_of(answered) or ""
        return None
