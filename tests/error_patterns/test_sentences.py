import re
import shlex
from dataclasses import replace

import pytest
from snakemake.cli import get_argument_parser

from narrative_runs.asking.failures import TOO_LONG
from narrative_runs.error_patterns.outcomes import ErrorKind
from narrative_runs.error_patterns.search import Pattern
from narrative_runs.error_patterns.sentences import Experiment, sentence
from narrative_runs.results import REFUSED

EXPERIMENT = Experiment("0b6d", "cases", timeout_s=300.0, max_tokens=120)
LONG = Pattern("length", "more than 6,000 characters", 6_001, 9_999, 41, 44, 52, None)
KINDS = [
    None,
    ErrorKind("api_error", "HTTP 500"),
    ErrorKind("timeout", "no answer within 300 s"),
    ErrorKind("rate_limit", "HTTP 429"),
    ErrorKind("data_error", f"HTTP 400 (context_length_exceeded): {TOO_LONG} of 4,096 tokens"),
    ErrorKind("data_error", f"HTTP 413: {TOO_LONG}"),
    ErrorKind("data_error", REFUSED),
    ErrorKind("parse_error", "no JSON; it was cut off (finish_reason: length). Ask with a higher model.max_tokens"),
]
DIMENSIONS = ["length", "group Sex", "server", "host", "shard", "position", "time", "hour of the day", "message"]


def test_it_reads_as_the_cause_and_what_to_do() -> None:
    """Texts that are too long for the server are told with its context and the command that asks again."""
    error = ErrorKind("data_error", f"HTTP 400 (context_length_exceeded): {TOO_LONG} of 4,096 tokens")
    assert sentence(replace(LONG, error=error), EXPERIMENT) == (
        "41 of 44 errors are texts of more than 6,000 characters (data_error, HTTP 400 (context_length_exceeded): "
        "prompt and narrative are longer than the model's context of 4,096 tokens): the server's context is 4,096 "
        "tokens; raise it there, and after the run "
        "`snakemake --cores 4 --config experiment_id=0b6d --forcerun retry_errors`"
    )


@pytest.mark.parametrize("error", KINDS)
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_every_command_can_be_typed(dimension: str, error: ErrorKind | None) -> None:
    """Whatever errors have in common, what they share, a cause and a command stand there, and Snakemake or this
    software takes the command."""
    if dimension == "message" and error is None:
        return
    text = sentence(replace(LONG, dimension=dimension, value="it", error=error), EXPERIMENT)
    assert re.match(r"41 of 44 errors \w+ .+: .+", text)
    commands = re.findall("`([^`]+)`", text)
    assert commands or "in a new experiment" in text
    for command in commands:
        program, *words = shlex.split(command)
        if program == "snakemake":
            arguments = get_argument_parser().parse_args(words)
            assert arguments.forcerun == {"retry_errors"} or list(arguments.forcerun) == ["retry_errors"]
            assert arguments.config[0] == "experiment_id=0b6d"
        else:
            assert command == "narrative-runs trace --outcome error cases"


def test_what_the_same_errors_share_besides_is_told_with_it() -> None:
    """The time of a shard's errors stands in its sentence, as the fault may be the one's or the other's."""
    shard = replace(LONG, dimension="shard", value="03-of-16")
    time = replace(LONG, dimension="time", value="2026-01-01 08:00:00 and 2026-01-01 09:00:00")
    text = sentence(replace(shard, also=(time,)), EXPERIMENT)
    assert text.startswith(
        "41 of 44 errors are narratives of shard 03-of-16; nearly the same ones were asked between 2026-01-01 08:00:00 "
        "and 2026-01-01 09:00:00: something was wrong while this shard was asked"
    )


def test_long_timeouts_name_the_time_and_how_to_raise_it() -> None:
    """Texts that take too long are asked again with twice the time."""
    text = sentence(replace(LONG, error=KINDS[2]), EXPERIMENT)
    assert "run.timeout_s, which is 300" in text and "'run={timeout_s: 600}' --forcerun retry_errors" in text


@pytest.mark.parametrize("error", [KINDS[6], KINDS[7]])
def test_what_the_same_question_gives_again_is_not_asked_again(error: ErrorKind) -> None:
    """What is refused, or cut off, needs another experiment, and no retry."""
    assert "retry_errors" not in sentence(replace(LONG, error=error), EXPERIMENT)


def test_a_long_message_of_other_software_is_shortened() -> None:
    """An adopted row may hold a message of any length, in several lines."""
    text = sentence(replace(LONG, error=ErrorKind("api_error", "no\n" * 5_000)), EXPERIMENT)
    assert len(text) < 700 and "\n" not in text
