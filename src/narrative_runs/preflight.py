"""`narrative-runs preflight`: asks about five narratives, and says what hours and tokens the whole run will take."""

import time
from pathlib import Path
from statistics import mean
from typing import Any

from narrative_runs import experiment
from narrative_runs import params as params_module
from narrative_runs.asking.advice import UNSUPPORTED
from narrative_runs.asking.client import Client, tls_for
from narrative_runs.asking.failures import RequestFailed
from narrative_runs.asking.request import Question
from narrative_runs.asking.trial import look_for_evidence
from narrative_runs.codebook.coded import coded_values
from narrative_runs.codebook.variables import Codebook, Quote, Text
from narrative_runs.coordination.model_server import ModelServer
from narrative_runs.errors import ServerError
from narrative_runs.observation.progress import duration
from narrative_runs.params import Params
from narrative_runs.paths import RESULTS, ExperimentFolder
from narrative_runs.results import Result, result_of
from narrative_runs.source import checksum, rules, workbook
from narrative_runs.source.reading import reading_of
from narrative_runs.source.shards import Narrative
from narrative_runs.source.summary import summary_lines

SAMPLE = 5


async def preflight(file: Path) -> None:
    """Ask about five narratives of the experiment that `file` describes, the longest among them; print what to expect.

    Raises:
        NarrativeRunsError: the params, the workbook or the server cannot be used.
    """
    params = params_module.of_file(file)
    checksum.fetch(params.data.file)
    checksum.verify(params.data.file)
    state = experiment.find(ExperimentFolder(params.slug))
    reading_rules = rules.numbered(state.reading_rules) if state else rules.CURRENT
    how = reading_of(params.data.model_dump(mode="json"), reading_rules, params.variables)
    source = workbook.read(params.data.file, how, RESULTS)
    for line in summary_lines(source.quality):
        print(line)
    server = ModelServer(params, print)
    try:
        results = await _ask(sample(source, params.run.max_narratives), params, server)
    finally:
        server.close()
    characters = source.keys["characters"].iloc[: params.run.max_narratives]
    for line in expected_effort(results, len(characters), int(characters.max()), params):
        print(line)


def sample(source: workbook.Source, limit: int | None = None) -> list[Narrative]:
    """Five of the first `limit` narratives, evenly spread over the lengths, the longest last."""
    by_length = source.keys["characters"].iloc[:limit].argsort(kind="stable")
    count = min(SAMPLE, len(by_length))
    positions = sorted({round(number * (len(by_length) - 1) / max(1, count - 1)) for number in range(count)})
    return [next(source.narratives(int(by_length.iloc[position]), len(source))) for position in positions]


async def _ask(narratives: list[Narrative], params: Params, model_server: ModelServer) -> list[Result]:
    servers = await model_server.open()
    server = next(server for position, server in enumerate(servers) if position not in model_server.away)
    client, question = Client(server, tls_for(server)), Question(params)
    unsupported: set[str] = set()
    results = []
    try:
        for narrative in narratives:
            entry = await _entry(narrative, question, client, unsupported)
            results.append(result_of(narrative, entry, params.variables))
            print(f"{len(narrative.narrative_text):6} characters: {_outcome(results[-1], params.variables)}")
    finally:
        await client.close()
    if not any(result.tokens_used for result in results):
        print("This server does not report tokens: run.budget_tokens cannot be enforced.")
    return results


async def _entry(narrative: Narrative, question: Question, client: Client, unsupported: set[str]) -> dict[str, Any]:
    """What a journal would keep of one narrative; sends at most two requests about it.

    unsupported: parts that the server does not take; those that prove to be so are added.

    Raises:
        ServerError: the server answers nothing at all.
    """
    entry: dict[str, Any] = {"fingerprint": "", "asked_at": "", "attempt": 1, "first_error_message": None}
    for is_last in (False, True):
        began = time.perf_counter()
        try:
            response = await client.ask(question.body(narrative, unsupported))
            return {**entry, "response_sec": time.perf_counter() - began, "response": response}
        except RequestFailed as failed:
            failure = failed.failure
        if not is_last:
            evidence = await look_for_evidence(question, client, unsupported, None, parts_are_proved=False)
            if evidence.failure is not None:
                reason = evidence.failure.reason or evidence.failure.message
                raise ServerError(f"preflight: {reason}. Nothing was recorded.")
            unsupported.update(evidence.unsupported)
            for part in evidence.unsupported:
                print(UNSUPPORTED[part])
    return {**entry, "error": {"category": failure.category, "message": failure.message}}


def _outcome(result: Result, codebook: Codebook) -> str:
    answer = result.error_message if result.error_occurred else _answer(result, codebook)
    return f"{result.response_sec or 0.0:.1f} s, {result.tokens_used or 0} tokens, {answer}"


def _answer(result: Result, codebook: Codebook) -> str:
    """What was answered, without texts and passages, which may be about somebody."""
    if codebook.fits_the_record:
        return f"detected: {str(result.detected).lower()}"
    short = [
        coded
        for coded in coded_values(codebook, result.row)
        if not isinstance(codebook.variables[coded.variable], Quote | Text)
    ]
    return ", ".join(f"{coded.variable}: {coded.value or '-'}" for coded in short) or "answered"


def expected_effort(results: list[Result], total: int, longest: int, params: Params) -> list[str]:
    """What a whole run of `total` narratives will take, judged by these results, in words.

    longest: characters of the longest narrative.
    """
    seconds = mean(result.response_sec or 0.0 for result in results) * total / params.run.max_in_flight
    tokens = mean(result.tokens_used or 0 for result in results) * total
    unreadable = sum(result.error_occurred for result in results)
    return [
        f"{total:,} narratives, {params.run.max_in_flight} at once: about {duration(seconds)}, "
        "if the server answers that many at once as fast as a single request.",
        f"About {tokens:,.0f} tokens. The longest narrative has {longest:,} characters, and "
        f"its prompt {results[-1].prompt_tokens or 'an unknown number of'} tokens.",
        f"{unreadable} of {len(results)} answers could not be read.",
    ]
