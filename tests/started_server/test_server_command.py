from pathlib import Path

import pytest

from narrative_runs.started_server.command import KEY_VARIABLES, ServerCommand, check_command


def filled_in(command: str, model: str = "m") -> list[str]:
    """The words of a command at port 1234."""
    return ServerCommand.from_text(command, model).filled_in(1234)


def test_placeholders_are_filled_in() -> None:
    """Port, model and host stand where the command names them, also within a word."""
    assert filled_in("serve --bind={host}:{port} {model}", "org/model") == [
        "serve",
        "--bind=127.0.0.1:1234",
        "org/model",
    ]


def test_other_braces_stay() -> None:
    """JSON in a command arrives as it was written, and within it the placeholders are filled in."""
    command = """serve --port {port} --args '{"thinking": false, "name": "{model}"}' {other}"""
    assert filled_in(command)[4:] == ['{"thinking": false, "name": "m"}', "{other}"]


def test_a_name_is_one_word_and_is_filled_in_once() -> None:
    """A model's name with blanks, quotes or braces in it is one argument, as it is."""
    assert filled_in("serve {port} {model}", "my 'best' {port} $(model)") == [
        "serve",
        "1234",
        "my 'best' {port} $(model)",
    ]


def test_a_home_folder_is_filled_in_and_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that begins with ~/ lies in the home folder; a variable, which could hold a key, is not read."""
    monkeypatch.setenv("LLM_API_KEY", "secret")
    words = filled_in("~/bin/serve {port} ~/m.gguf --key=$LLM_API_KEY")
    assert words == [str(Path.home() / "bin/serve"), "1234", str(Path.home() / "m.gguf"), "--key=$LLM_API_KEY"]


@pytest.mark.parametrize(
    "command",
    [
        "vllm serve {model} --port {port}",
        "apptainer exec --nv image.sif vllm serve {model} --port={port}",
        "env CUDA_VISIBLE_DEVICES=0 llama-server -m ~/m.gguf --port {port}",
        "bash -c 'module load cuda && exec vllm serve {model} --port {port} 2>&1'",
    ],
)
def test_commands_that_can_be_started_are_taken(command: str) -> None:
    """A command that can be started, with a shell of its own or without, has nothing wrong with it."""
    assert check_command(command) is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("", "it is empty"),
        ("   ", "it is empty"),
        ("vllm serve {model}", "{port} is missing"),
        ("vllm serve {model} --port 8000", "{port} is missing"),
        ("vllm serve 'my model --port {port}", "Close each quotation mark"),
        ("CUDA_VISIBLE_DEVICES=0 vllm serve --port {port}", "Write env CUDA_VISIBLE_DEVICES=0 … instead"),
        ("module load cuda && vllm serve --port {port}", "&& needs a shell"),
        ("vllm serve --port {port} > log.txt", "> needs a shell"),
        ("apptainer exec ${SCRATCH}/vllm.sif vllm serve --port {port}", "${SCRATCH}/vllm.sif needs a shell"),
        ("vllm serve $MODEL --port {port}", "$MODEL needs a shell"),
    ],
)
def test_what_cannot_be_started_is_refused(command: str, expected: str) -> None:
    """What only a shell would understand, and a server that would not listen where it is looked for, is refused with
    what to write instead."""
    assert expected in (check_command(command) or "")
    with pytest.raises(ValueError, match=r"[a-z]"):
        ServerCommand.from_text(command, "m")


def test_each_server_has_a_key_of_its_own_and_not_in_its_words() -> None:
    """A server's key is new each time, stands in the variables from which servers read it, and in no argument."""
    first, second = (ServerCommand.from_text("serve {port}", "m") for _ in range(2))
    assert first.api_key != second.api_key
    assert dict(first.environment) == dict.fromkeys(KEY_VARIABLES, first.api_key)
    assert first.api_key not in repr(first.filled_in(1)) and len(first.api_key) > 30
