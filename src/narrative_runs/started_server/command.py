"""What is started as a model server: a command with its placeholders, and whether params may hold it."""

import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

# No other machine is to reach a server that was started for one run.
HOST = "127.0.0.1"
# By these, servers are given the key without which they answer nobody: vLLM, llama.cpp's llama-server, and LiteLLM,
# whose keys begin with `sk-`.
KEY_VARIABLES = ("VLLM_API_KEY", "LLAMA_API_KEY", "LITELLM_MASTER_KEY")
_PLACEHOLDER = re.compile(r"\{(port|model|host)\}")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?(/.*)?")
_OF_A_SHELL = ("|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1", "&>")
_OF_PARAMS = "Correct model.command, then start the same command again."


@dataclass(frozen=True)
class ServerCommand:
    """What is started.

    words: program and arguments, with `{port}`, `{model}` and `{host}`, which are filled in; model: what `{model}`
    stands for; name: what messages call the server; failure, advice: how a message begins, and ends, that says why the
    server cannot be used; environment: variables beside those of this process; api_key: what each request needs, empty
    for none; input: what the server reads from its standard input, which stays open as long as the server may live;
    ends_within_s: seconds that it has to end before it is killed, 0 to kill it at once.
    """

    words: tuple[str, ...]
    model: str
    name: str = "model server"
    failure: str = "The model server cannot be used"
    advice: str = _OF_PARAMS
    environment: Mapping[str, str] = field(default_factory=dict)
    api_key: str = field(default="", repr=False)
    input: str = field(default="", repr=False)
    ends_within_s: float = 5.0

    @classmethod
    def from_text(cls, command: str, model: str) -> Self:
        """The command as a person writes it in params, with a new key in the variables that servers read it from.

        It is divided as a shell divides it, and a leading `~/` of a word is the home folder. No shell is started: no
        variable is filled in, so that no key gets into the list of processes.

        Raises:
            ValueError: it cannot be started so; the message says why.
        """
        if wrong := check_command(command):
            raise ValueError(wrong)
        words = tuple(str(Path(word).expanduser()) if word[:2] == "~/" else word for word in shlex.split(command))
        key = f"sk-{secrets.token_urlsafe(32)}"
        return cls(words, model, environment=dict.fromkeys(KEY_VARIABLES, key), api_key=key)

    def filled_in(self, port: int) -> list[str]:
        """Its words as they are started; all other braces stay, as those of JSON."""
        values = {"port": str(port), "model": self.model, "host": HOST}
        return [_PLACEHOLDER.sub(lambda match: values[match[1]], word) for word in self.words]


def check_command(command: str) -> str | None:
    """Why this command cannot be started as a model server, in a sentence without its end; None where it can."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        return f"it cannot be split into words ({error}). Close each quotation mark"
    if not words:
        return "it is empty. Give the command that starts your model server, such as vllm serve {model} --port {port}"
    if _ASSIGNMENT.match(words[0]):
        return f"it begins with a variable, but no shell runs it. Write env {words[0]} … instead"
    if of_shell := next((word for word in words if word in _OF_A_SHELL), None):
        return f"{of_shell} needs a shell, but no shell runs the command. Put the command into a script and start that"
    if variable := next((word for word in words if _VARIABLE.fullmatch(word)), None):
        return f"{variable} needs a shell, but no shell runs the command. Write out its value, or start a script"
    if not any("{port}" in word for word in words):
        return (
            "{port} is missing. The server is started on a free port, so the command must contain it, for example "
            "as --port {port}"
        )
    return None
