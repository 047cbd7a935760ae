"""The params of one experiment: every key, its meaning, unit and range, declared once.

`params.yaml` shows them all. The experiment files of the R system hold a part of the same keys and are read unchanged.
"""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticUndefined

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import RESERVED
from narrative_runs.codebook.variables import CODEBOOK_MARK, Codebook
from narrative_runs.codebook.yaml_text import LARGEST_FILE, as_typed, codebook_of, size_of
from narrative_runs.data_columns import LABEL_OF, plain_columns, types_of
from narrative_runs.errors import ParamsError
from narrative_runs.paths import BACKUPS, DEVELOPMENT
from narrative_runs.secrets_in_params import has_key_argument, has_secret, secret_in_url
from narrative_runs.shell import why_unreadable
from narrative_runs.started_server.command import check_command

TEXT_MARK = "<<TEXT>>"
STARTED = "command"
LONGEST_SLUG = 100
# What else lies under results/.
_NO_SLUGS = (BACKUPS.name, DEVELOPMENT.name)
DEFAULT_SEED = 42
# They stand beside the types in files and on screens.
_NO_TYPES = ("total", "overall", "incident", "all")
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,29}")
_OWN_PARTS = {
    "messages": "they are made from prompt.system_prompt and prompt.user_template",
    "model": "set model.name",
    "temperature": "set model.temperature",
    "seed": "set run.seed",
    "max_tokens": "set model.max_tokens",
    "stream": "answers are read as a whole",
    "n": "one answer per narrative is kept",
}
# A line for a shell may have several lines, and blanks; all else of this kind is an accident.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_COPIED = "Params files are copied into records and lock files, so anybody could read it there."
_DURATION = re.compile(r"(?P<number>0*[1-9][0-9]*) ?(?P<unit>[smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EXPONENT = re.compile(r"\d+(?:\.\d*)?[eE][+-]?\d+")


def _as_text(value: Any) -> Any:
    """What YAML takes for a number, a date or nothing, where a text is meant: `version: 1.0`, `notes:`."""
    return "" if value is None else value.isoformat() if isinstance(value, date) else value


def _as_r_reads(value: Any) -> Any:
    """What R reads as a number and YAML here does not: `1e3`, and `1000.0` for a whole one."""
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        value = float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, Field(strict=False), BeforeValidator(_as_text)]


class Section(BaseModel):
    """A part of the params file; a key that it does not know is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, coerce_numbers_to_str=True, protected_namespaces=()
    )


class Experiment(Section):
    """What the experiment is called."""

    name: Text = Field(min_length=1, description="Name shown in the record and the report.")
    author: Text = Field("", description="Who wrote the prompt.")
    notes: Text = Field("", description="Free text, kept in the record.")
    slug: Text = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9._-]*)?$",
        description="Folder under results/; made from the name when left out.",
    )

    @field_validator("slug")
    @classmethod
    def _can_be_a_folder(cls, value: str) -> str:
        # SQLite keeps files of its own beside the record, such as experiments.db-journal.
        if value in _NO_SLUGS or value.startswith("experiments.db"):
            raise ValueError(f"results/{value} is something else. Choose another slug")
        if len(value) > LONGEST_SLUG:
            raise ValueError(f"a slug may have {LONGEST_SLUG} characters. Give a shorter one")
        return value

    @model_validator(mode="before")
    @classmethod
    def _slug_from_name(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("slug") and values.get("name"):
            return {**values, "slug": slug_of(str(values["name"]))}
        return values


class Model(Section):
    """Which model is asked, where, and how."""

    name: Text = Field(min_length=1, description="Model as the server names it, or a path to a GGUF file (embedded).")
    provider: Text = Field(
        "openai",
        description="`embedded` starts the embedded server, `command` model.command; any other is a server at api_url.",
    )
    command: Text = Field(
        "", description="Starts a model server on each host that asks; {port}, {model} and {host} are filled in."
    )
    api_url: Text | list[Text] = Field(
        "", description="The full chat-completions URL, or its /v1 base; a list of them for servers of the same model."
    )
    temperature: Annotated[float | None, BeforeValidator(_as_r_reads)] = Field(
        0.0, ge=0, le=2, description="Sampling temperature; 0 is the most repeatable; null sends none."
    )
    max_tokens: int | None = Field(4096, ge=1, description="Longest answer, in tokens; null leaves it to the server.")
    structured_output: Literal["auto", "json_schema", "plain"] = Field(
        "auto", description="Ask for JSON by schema: always, never (plain), or wherever the server takes it (auto)."
    )
    logprobs: bool = Field(False, description="Ask for token probabilities, stored as p_detected.")
    allow_remote: bool = Field(False, description="Allow narratives to leave for a server outside this network.")
    answers_as: list[str] = Field(
        default_factory=list, description="Names that the server may give for model.name; any other stops the run."
    )
    extra_body: dict[str, Any] = Field(default_factory=dict, description="Fields added to each request, unchanged.")

    @field_validator("extra_body", mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value

    @model_validator(mode="after")
    def _has_an_address(self) -> "Model":
        if self.command and self.provider != STARTED:
            raise ValueError(f"command is used with provider: {STARTED} alone")
        if self.provider == STARTED and (wrong := check_command(self.command)):
            raise ValueError(f"command: {wrong}")
        if self.starts_server:
            return self
        for url in self.api_urls or [""]:
            if not _is_url(url):
                raise ValueError(
                    f"api_url {_shown(url)} is not a URL. Give the server's address, such as "
                    "http://localhost:1234/v1, or use provider: embedded"
                )
        if len(set(self.base_urls)) < len(self.base_urls):
            raise ValueError(
                "api_url names a server twice. Name each once; each gets run.max_in_flight requests at once"
            )
        return self

    @property
    def embedded(self) -> bool:
        """Whether the embedded server answers."""
        return self.provider == "embedded"

    @property
    def starts_server(self) -> bool:
        """Whether whoever asks starts the server, and ends it."""
        return self.embedded or self.provider == STARTED

    @property
    def api_urls(self) -> list[str]:
        """The servers, as the file names them."""
        urls = self.api_url if isinstance(self.api_url, list) else [self.api_url]
        return [url for url in urls if url or isinstance(self.api_url, list)]

    @property
    def base_urls(self) -> list[str]:
        """The servers' /v1 bases, without a slash at their ends; a query stays where it belongs. None for a server that
        is started."""
        return [] if self.starts_server else [_base_of(url) for url in self.api_urls]


class Prompt(Section):
    """What the model is told."""

    version: Text = Field("", description="Your own name for this prompt.")
    system_prompt: Text = Field("", description="Instructions, and few-shot examples if any.")
    user_template: Text = Field(description=f"The question; {TEXT_MARK} stands for the narrative.")

    @field_validator("user_template")
    @classmethod
    def _holds_the_text(cls, value: str) -> str:
        if TEXT_MARK not in value:
            raise ValueError(f"the template must hold {TEXT_MARK}, which stands for the narrative")
        return value


class Placeholders(Section):
    """`skip` with texts of one's own."""

    skip: list[Text] = Field(description="Texts that are skipped besides the usual placeholders.")


class Data(Section):
    """Which workbook is read, and how."""

    file: Path = Field(strict=False, description="Workbook (.xlsx, .csv or .parquet), tracked by DVC.")
    sheet: Text | list[Text] | None = Field(None, description="The sheet to read, or several; null is the only one.")
    id: list[Text] = Field(
        default_factory=list, description="Columns that make an incident's key together, joined by `/`."
    )
    columns: dict[str, Text] = Field(
        default_factory=dict, description="The workbook's own names of the columns, by the layout's."
    )
    placeholders: Literal["ask", "skip"] | Placeholders = Field(
        "ask", description="What to do with `N/A`, `see CME` and the like: ask about them, or skip them."
    )
    share: Literal["group"] | None = Field(
        None, description="Who may use the project's files: `group` also allows your group; null is you alone."
    )

    @field_validator("id", "columns", mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: Any, info: ValidationInfo) -> Any:
        empty: Any = [] if info.field_name == "id" else {}
        return empty if value is None else [value] if info.field_name == "id" and isinstance(value, str) else value

    @field_validator("columns")
    @classmethod
    def _names_columns(cls, value: dict[str, str]) -> dict[str, str]:
        plain = plain_columns(value)
        if len(plain) < len(value):
            raise ValueError("one of the columns is named twice, by our name and by a layout's")
        doubled = sorted({name for name in plain.values() if list(plain.values()).count(name) > 1})
        if doubled:
            raise ValueError(f"{', '.join(doubled)} is used for two things")
        types = types_of(value)
        if odd := [name for name in types if not _TYPE.fullmatch(name) or name in _NO_TYPES]:
            raise ValueError(
                f"{', '.join(odd)} cannot be a narrative type: lower-case letters, digits and _, at most 30, and none "
                f"of {', '.join(_NO_TYPES)}"
            )
        if lost := [key for key in plain if key.startswith(LABEL_OF) and key.removeprefix(LABEL_OF) not in types]:
            raise ValueError(f"{', '.join(lost)}: there is no such narrative type ({', '.join(types)})")
        return value


class Run(Section):
    """How much is asked, how fast, and when to stop."""

    seed: Annotated[int | None, BeforeValidator(_as_r_reads)] = Field(
        DEFAULT_SEED,
        ge=-(2**63),
        lt=2**63,
        description="Sent to the model, and used for the bootstrap intervals; null sends none (they then use 42).",
    )
    max_narratives: Annotated[int | None, BeforeValidator(_as_r_reads)] = Field(
        None, ge=1, description="Only the first n narratives in workbook order; null is all of them."
    )
    max_in_flight: int = Field(
        8, ge=1, le=1024, description="Requests at once to one server, over all jobs; 1 for embedded when left out."
    )
    timeout_s: float = Field(300, gt=0, description="Longest wait for one answer, in seconds.")
    max_attempts: int = Field(5, ge=1, le=100, description="Requests for one narrative before it is an error.")
    give_up_after_s: float = Field(
        1800, gt=0, description="Seconds without any answer from the server before the run ends as failed."
    )
    requests_per_minute: float | None = Field(None, gt=0, description="Highest rate; null is no limit.")
    budget_tokens: int | None = Field(
        None, ge=1, description="Tokens this experiment may use, over all its sessions; null is no limit."
    )
    price_per_million_prompt_tokens: float | None = Field(
        None, ge=0, description="In your currency; when a price is set, the cost so far and of the whole is shown."
    )
    price_per_million_completion_tokens: float | None = Field(
        None, ge=0, description="In your currency; null beside a price for prompts counts as 0."
    )
    snapshot_every: Text | None = Field(
        "6h", description="How often a snapshot is made of a long run, such as 30m, 6h or 1d; null is never."
    )
    notify: str | None = Field(
        None, description="A shell command that is run when the run ends or needs attention; null is none."
    )
    save_incremental: bool = Field(True, description="Of the R system; answers are always kept at once.")
    save_csv_json: bool = Field(True, description="Write results.csv and results.json too.")

    @field_validator("snapshot_every")
    @classmethod
    def _is_a_duration(cls, value: str | None) -> str | None:
        if value is not None and not _DURATION.fullmatch(value):
            raise ValueError("give a number and a unit, such as 30m, 6h or 1d; or null for none")
        return value

    @property
    def snapshot_every_s(self) -> float | None:
        """Seconds from one snapshot to the next; None is never."""
        match = _DURATION.fullmatch(self.snapshot_every or "")
        return float(match["number"]) * _UNIT_S[match["unit"]] if match else None

    @field_validator("max_narratives", mode="before")
    @classmethod
    def _infinity_is_all(cls, value: Any) -> Any:
        return None if value == float("inf") or str(value).lower() in ("inf", "all") else value

    @field_validator("notify")
    @classmethod
    def _can_be_run(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("it is empty. Give a command, or null for none")
        if value is not None and (odd := _CONTROL.search(value)):
            raise ValueError(
                f"it holds the control character \\u{ord(odd[0]):04x}, which a command cannot contain. Remove it"
            )
        return value


class Shards(Section):
    """Into how many parts the narratives are dealt."""

    count: int = Field(16, ge=1, le=1000, description="Number of shards; one job and one results file each.")


class Report(Section):
    """What the report shows."""

    show_narratives: bool = Field(False, description="Show the texts of wrong answers; do not pass such a report on.")
    groups: list[Text] = Field(default_factory=list, description="Columns of the workbook to measure groups by.")
    suppress_below: int = Field(
        0, ge=0, le=1000, description="Counts below it are masked in the report and in exports without text."
    )

    @field_validator("groups", mode="before")
    @classmethod
    def _one_or_none(cls, value: Any) -> Any:
        return [] if value is None else [value] if isinstance(value, str) else value

    @field_validator("groups")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        if len({name.casefold() for name in value}) < len(value):
            raise ValueError("a column is named twice")
        return value


class Params(Section):
    """One experiment, as its file describes it."""

    experiment: Experiment
    model: Model
    prompt: Prompt
    data: Data
    run: Run = Field(default_factory=Run)
    shards: Shards = Field(default_factory=Shards)
    report: Report = Field(default_factory=Report)
    codebook: Codebook | None = Field(None, description="The variables to ask about; without it, the usual question.")

    @model_validator(mode="before")
    @classmethod
    def _one_slot_if_embedded(cls, values: Any) -> Any:
        """On a small machine one slot answers as fast as several, and each has a context of its own in memory."""
        model = values.get("model") if isinstance(values, dict) else None
        if isinstance(model, dict) and model.get("provider") == "embedded":
            run = values.get("run") or {}
            if isinstance(run, dict) and "max_in_flight" not in run:
                return {**values, "run": {**run, "max_in_flight": 1}}
        return values

    @model_serializer(mode="wrap")
    def _without_an_empty_codebook(self, as_usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Journals of experiments without one begin as they always did.
        tree: dict[str, Any] = as_usual(self)
        return {name: value for name, value in tree.items() if name != "codebook" or value is not None}

    @property
    def slug(self) -> str:
        """The experiment's folder under results/."""
        return self.experiment.slug

    @property
    def variables(self) -> Codebook:
        """What is asked: the codebook, or the usual question where the file leaves it out."""
        return DEFAULT if self.codebook is None else self.codebook


def _shown(url: str) -> str:
    """A URL for a message, which must not hold what could be a password or a key."""
    return repr(url) if not {"@", "?"} & set(url) else "(not shown: it may hold a password)"


def refuse_secrets(params: Params, origin: str) -> None:
    """Params files are copied into records, journals and lock files: no key may stand in them.

    Raises:
        ParamsError: api_url, command or notify holds a user, a password or a key; the message does not repeat it.
    """
    if has_key_argument(params.model.command):
        raise ParamsError(
            f"{origin} cannot be used:\n  model.command holds a key. {_COPIED} Take it out: the server gets a key of "
            "the run's own in its environment."
        )
    if has_secret(params.run.notify or ""):
        raise ParamsError(
            f"{origin} cannot be used:\n  run.notify holds a key or a password. {_COPIED} Take it out, and let the "
            'command read it from a file that only you can read, as with "$(cat ~/.notify-key)".'
        )
    urls = [] if params.model.starts_server else params.model.api_urls
    secret = next(filter(None, map(secret_in_url, urls)), None)
    if secret is not None:
        raise ParamsError(
            f"{origin} cannot be used:\n  model.api_url holds {secret}. {_COPIED} Take it out, and put the key into "
            "the environment variable LLM_API_KEY, which is sent as `Authorization: Bearer` and written nowhere."
        )


def refuse_unreadable(params: Params, origin: str) -> None:
    """A mistake in the line of run.notify is told before the run, and not when it should be run, perhaps days later.

    Raises:
        ParamsError: the shell cannot read it.
    """
    if params.run.notify and (wrong := why_unreadable(params.run.notify)):
        raise ParamsError(
            f"{origin} cannot be used:\n  run.notify: the shell cannot read it ({wrong}). Try it in a terminal first."
        )


def refuse_overrides(params: Params, origin: str) -> None:
    """What the record says of a request must be what was sent: `extra_body` may add to it, and replace nothing.

    Raises:
        ParamsError: names each key of model.extra_body that has a place of its own.
    """
    taken = [name for name in params.model.extra_body if name in _OWN_PARTS]
    if taken:
        lines = [f"  model.extra_body.{name}: {_OWN_PARTS[name]}." for name in taken]
        raise ParamsError(
            "\n".join(
                [f"{origin} cannot be used:", *lines, "The record would describe a request other than the one sent."]
            )
        )


def default_of(section: str, name: str) -> Any:
    """The value that a key has where a file leaves it out; None for one that no file may leave out."""
    kind = Params.model_fields[section].annotation
    assert isinstance(kind, type) and issubclass(kind, Section)
    value = kind.model_fields[name].get_default(call_default_factory=True)
    return None if value is PydanticUndefined else value


def bootstrap_seed(run_seed: int | None) -> int:
    """The seed of the bootstrap intervals: run.seed, or 42 where the model is sent none."""
    return DEFAULT_SEED if run_seed is None else run_seed


def _base_of(url: str) -> str:
    parts = urlsplit(url.strip())
    path = re.sub(r"/chat/completions/?$", "", parts.path).rstrip("/")
    return urlunsplit(parts._replace(path=path))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def slug_of(name: str) -> str:
    """A folder name made from an experiment's name: lower case, with hyphens."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())[:LONGEST_SLUG].strip("-") or "experiment"
    return f"{slug}-experiment" if slug in _NO_SLUGS else slug


def read_file(path: Path) -> dict[str, Any]:
    """The keys and values of a params file; a codebook is the content of its file, with its values as typed.

    Raises:
        ParamsError: the file is missing, is not a YAML mapping, or holds a codebook that cannot be used.
    """
    text, values = _read_yaml(path)
    if values.get("codebook") is not None:
        values["codebook"] = _codebook(values["codebook"], text, path).model_dump(mode="json")
    return values


def codebook_file(path: Path) -> str:
    """The file that a params file names as its codebook; empty where it names none.

    Raises:
        ParamsError: as `read_file`.
    """
    written = _read_yaml(path)[1].get("codebook")
    return written if isinstance(written, str) else ""


def _codebook(written: Any, text: str, path: Path) -> Codebook:
    """The codebook of a params file: a mapping that stands in it, or the name of a file that holds one."""
    within = ["codebook"]
    if isinstance(written, str):
        path = Path(written)
        text, values = _read_yaml(path)
        # Who copies the part of a params file takes its heading along.
        within = ["codebook"] if list(values) == ["codebook"] else []
    codebook = codebook_of(as_typed(text, *within), str(path), text, RESERVED, within)
    if TEXT_MARK in codebook.model_dump_json():
        raise ParamsError(
            f"{path} cannot be used:\n  codebook: {TEXT_MARK} stands for the narrative, in prompt.user_template alone. "
            "Take it out."
        )
    return codebook


def _read_yaml(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a YAML file, and its keys and values."""
    try:
        text = path.read_text(encoding="utf-8")
        values = yaml.safe_load(text)
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing. Start the command in the project folder.") from None
    except OSError as error:
        raise ParamsError(f"{path} cannot be read: {error.strerror}.") from None
    except yaml.MarkedYAMLError as error:
        raise ParamsError(f"{path} is not valid YAML{_where(error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path} holds no keys. Copy params.yaml and edit it.")
    if size_of(values) > LARGEST_FILE:
        raise ParamsError(
            f"{path} repeats its own parts so often, by anchors (&) and aliases (*), that it would fill the memory. "
            "Write them out."
        )
    return text, values


def of_file(path: Path) -> Params:
    """The params of a file, for an experiment that begins: nothing is a secret, or replaces part of a request, and
    each command can be read.

    Raises:
        ParamsError: the file, or a key of it, cannot be used.
    """
    params = check(read_file(path), str(path))
    refuse_secrets(params, str(path))
    refuse_unreadable(params, str(path))
    refuse_overrides(params, str(path))
    return params


def _where(error: yaml.MarkedYAMLError) -> str:
    """The line of a YAML error, with what is wrong there and the line itself."""
    mark, problem = error.problem_mark, " ".join(filter(None, (error.context, error.problem)))
    if mark is None:
        return f": {problem}"
    shown = (mark.get_snippet() or "").split("\n")[0].strip()
    advice = "Check the spaces before the key; a text that contains a colon needs quotes."
    return f", line {mark.line + 1}: {problem}\n  {shown}\n{advice}"


def check(values: dict[str, Any], origin: str) -> Params:
    """The params that `values` describe; `origin` names their file in messages.

    Raises:
        ParamsError: names each key that is unknown, missing, of a wrong type or out of range.
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ParamsError(f"{origin} cannot be used:\n" + "\n".join(f"  {line}" for line in lines)) from None


def warnings(params: Params) -> list[str]:
    """What the file asks for and this software does not do."""
    messages = []
    if not params.run.save_incremental:
        messages.append("run.save_incremental: false has no effect: every answer is kept as soon as it comes.")
    is_shown = any(CODEBOOK_MARK in prompt for prompt in (params.prompt.system_prompt, params.prompt.user_template))
    if params.codebook is None and is_shown:
        messages.append(
            f"The prompt has {CODEBOOK_MARK}, but the file has no codebook: the model sees the mark itself."
        )
    if params.codebook is not None and not is_shown:
        messages.append(
            f"The prompt does not hold {CODEBOOK_MARK}: the model sees no definition of the codebook's variables, and "
            "the form of the answer only where the server takes a schema."
        )
    return messages


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    match problem["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key. See params.yaml for all keys."
        case "missing":
            return f"{key}: missing."
        case "value_error":
            return f"{key}: {problem['ctx']['error']}."
        case "string_pattern_mismatch":
            # The slug alone has a pattern.
            return f"{key}: {problem['input']!r}: use small letters, digits and hyphens, such as partner-violence."
        case _:
            return f"{key}: {problem['msg']}, not {problem['input']!r}."
