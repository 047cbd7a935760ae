import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from narrative_runs.asking.server import Server
from narrative_runs.errors import ParamsError
from narrative_runs.experiment import FROZEN_KEYS
from narrative_runs.params import (
    Params,
    Section,
    check,
    read_file,
    refuse_overrides,
    refuse_secrets,
    refuse_unreadable,
    slug_of,
    warnings,
)

ROOT = Path(__file__).parents[1]

# An experiment file as those of the R system are written.
OF_THE_R_SYSTEM = """\
experiment:
  name: "Production 20k indicators v0.3.2"
  author: "A. Researcher"
  notes: |
    First line of the notes.
    Second line, with "quotes" and a colon: here.

model:
  name: "mlx-community/gpt-oss-120b"
  provider: "mlx"
  api_url: "{api_url}"
  temperature: 0.2

prompt:
  version: 0.3
  system_prompt: |
    You read narratives of deaths.

    Rules:
      - Only partners count.
      - Answer with JSON.
  user_template: |
    Narrative:
    <<TEXT>>

    Answer:

data:
  file: "data/all_suicide_nar.xlsx"

run:
  seed: 1024
  max_narratives: 1000
  save_incremental: true
  save_csv_json: yes
"""


def values_of(**changes: Any) -> dict[str, Any]:
    """The values of a small params file; `changes` are sections laid over it."""
    values: dict[str, Any] = {
        "experiment": {"name": "Cases"},
        "model": {"name": "m", "api_url": "http://localhost:1/v1"},
        "prompt": {"user_template": "<<TEXT>>"},
        "data": {"file": "data/cases.xlsx"},
    }
    for section, more in changes.items():
        values[section] = {**values.get(section, {}), **more}
    return values


def keys_of(section: type[Section], prefix: str = "") -> set[str]:
    """The dotted names of all keys of a tree of models."""
    keys: set[str] = set()
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            keys |= keys_of(inner, f"{prefix}{name}.")
        else:
            keys.add(f"{prefix}{name}")
    return keys


def keys_shown(path: Path) -> set[str]:
    """The dotted names of all keys that a params file shows, those in comments too (`# key: value`)."""
    keys, section = set(), ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"^([a-z_]+): [^#]", line):
            keys.add(found[1])
        elif found := re.match(r"^([a-z_]+):", line):
            section = found[1]
        elif found := re.match(r"^  (?:# )?([a-z_]+): ?", line):
            keys.add(f"{section}.{found[1]}")
    return keys


ALL_KEYS = keys_of(Params)
# Keys of the R system that mean nothing here.
NOT_OURS = {"run.save_incremental"}


@pytest.mark.parametrize("name", ["params.yaml", "params.production.yaml"])
def test_the_files_that_come_along_are_valid(name: str) -> None:
    """The params files of the project can be used as they are, and warn of nothing."""
    params = check(read_file(ROOT / name), name)
    assert warnings(params) == []


CODEBOOK = """\
codebook:
  variables:
    detected: {type: binary, label: manual_flag_ind}
    answer:
      type: category
      values: [no, 1.0, 012, yes]   # as typed
"""


def written_params(folder: Path, more: str) -> Path:
    """A params file with these lines at its end."""
    path = folder / "my.yaml"
    path.write_text(yaml.safe_dump(values_of()) + more, encoding="utf-8")
    return path


def test_the_values_of_a_codebook_are_as_typed(tmp_path: Path) -> None:
    """What YAML takes for a number or a logical is the word that was typed."""
    params = check(read_file(written_params(tmp_path, CODEBOOK)), "my.yaml")
    assert params.codebook is not None
    assert params.variables.variables["answer"].value_names == ("no", "1.0", "012", "yes")


@pytest.mark.parametrize("heading", ["codebook:\n", ""])
def test_a_codebook_may_be_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heading: str) -> None:
    """The content of a file that `codebook` names is the codebook, with its heading or without."""
    monkeypatch.chdir(tmp_path)
    inline = read_file(written_params(tmp_path, CODEBOOK))
    lines = CODEBOOK.splitlines(keepends=True)
    Path("book.yaml").write_text(CODEBOOK if heading else "".join(line[2:] for line in lines[1:]), encoding="utf-8")
    assert read_file(written_params(tmp_path, "codebook: book.yaml\n")) == inline


def test_a_mistake_in_a_codebook_has_its_line(tmp_path: Path) -> None:
    """What is wrong is said with the key and the line of the file."""
    wrong = CODEBOOK.replace("type: category", "type: colour")
    with pytest.raises(ParamsError, match=r"codebook\.variables\.answer\.type \(line \d+\): .*category"):
        read_file(written_params(tmp_path, wrong))
    with pytest.raises(ParamsError, match=r"book\.yaml is missing"):
        read_file(written_params(tmp_path, "codebook: book.yaml\n"))
    with pytest.raises(ParamsError, match="give a mapping"):
        read_file(written_params(tmp_path, "codebook: []\n"))
    with pytest.raises(ParamsError, match="Take it out"):
        read_file(written_params(tmp_path, CODEBOOK.replace("label: manual_flag_ind", "definition: See <<TEXT>>")))


def test_a_prompt_and_its_codebook_belong_together(tmp_path: Path) -> None:
    """A codebook that no prompt shows is warned of, and so is a mark for which there is none."""
    asked = check(read_file(written_params(tmp_path, CODEBOOK)), "my.yaml")
    assert "does not hold <<CODEBOOK>>" in warnings(asked)[0]
    shown = values_of(prompt={"system_prompt": "Use: <<CODEBOOK>>"})
    assert "but the file has no codebook" in warnings(check(shown, "my.yaml"))[0]
    assert warnings(check({**shown, "codebook": asked.model_dump(mode="json")["codebook"]}, "my.yaml")) == []


def test_params_without_a_codebook_are_written_as_before() -> None:
    """What journals hold of params has a codebook only where there is one."""
    assert "codebook" not in check(values_of(), "my.yaml").model_dump(mode="json")


def test_params_yaml_shows_every_key() -> None:
    """No key is known to the software alone, and none to the file alone."""
    shown = keys_shown(ROOT / "params.yaml")
    assert ALL_KEYS - NOT_OURS - shown == set()
    assert shown - ALL_KEYS == set()


def test_params_yaml_tells_what_is_frozen() -> None:
    """The file marks as frozen exactly the keys that the software freezes."""
    marked, section = set(), ""
    for line in (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"^([a-z_]+): [^#].*# \[frozen\]", line):
            marked.add(found[1])
        elif found := re.match(r"^([a-z_]+):", line):
            section = found[1]
        elif (found := re.match(r"^  ([a-z_]+):.*# \[frozen\]", line)) is not None:
            marked.add(f"{section}.{found[1]}")
    assert marked == set(FROZEN_KEYS)


def test_every_key_is_described() -> None:
    """Each key has its meaning beside its declaration."""

    def undescribed(section: type[Section]) -> list[str]:
        found = []
        for name, field in section.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, Section):
                found += undescribed(inner)
            elif not field.description:
                found.append(name)
        return found

    assert undescribed(Params) == []


@pytest.mark.parametrize(
    "api_url",
    ["http://localhost:1234/v1/chat/completions", "http://localhost:1234/v1", "http://localhost:1234/v1/"],
)
def test_a_file_of_the_r_system_is_read_unchanged(api_url: str, tmp_path: Path) -> None:
    """The R system's keys mean what they meant, with the address in either form and prompts kept to the letter."""
    path = tmp_path / "exp_037.yaml"
    path.write_text(OF_THE_R_SYSTEM.replace("{api_url}", api_url), encoding="utf-8")
    params = check(read_file(path), str(path))
    assert params.experiment.name == "Production 20k indicators v0.3.2"
    assert params.experiment.author == "A. Researcher"
    assert params.experiment.notes == 'First line of the notes.\nSecond line, with "quotes" and a colon: here.\n'
    assert params.slug == "production-20k-indicators-v0-3-2"
    assert (params.model.name, params.model.provider) == ("mlx-community/gpt-oss-120b", "mlx")
    assert not params.model.embedded
    assert params.model.base_urls == ["http://localhost:1234/v1"]
    assert params.model.temperature == 0.2
    assert params.prompt.version == "0.3"
    assert params.prompt.system_prompt == (
        "You read narratives of deaths.\n\nRules:\n  - Only partners count.\n  - Answer with JSON.\n"
    )
    assert params.prompt.user_template == "Narrative:\n<<TEXT>>\n\nAnswer:\n"
    assert params.data.file == Path("data/all_suicide_nar.xlsx")
    assert (params.run.seed, params.run.max_narratives, params.run.save_csv_json) == (1024, 1000, True)
    assert params.shards.count == 16
    assert warnings(params) == []


def test_a_wish_that_means_nothing_here_warns() -> None:
    """Who does not want answers to be kept at once is told that they are."""
    told = warnings(check(values_of(run={"save_incremental": False}), "x.yaml"))
    assert len(told) == 1
    assert "run.save_incremental" in told[0]


@pytest.mark.parametrize("version", [1, 1.0, "1.0", "v1"])
def test_a_version_may_look_like_a_number(version: Any) -> None:
    """A name that YAML takes for a number is that text."""
    assert check(values_of(prompt={"version": version}), "x.yaml").prompt.version == str(version)


@pytest.mark.parametrize("value", [None, float("inf"), "Inf", "all"])
def test_all_narratives_may_be_asked_for_in_words_of_r(value: Any) -> None:
    """Null, and infinity as R writes it, are no limit."""
    assert check(values_of(run={"max_narratives": value}), "x.yaml").run.max_narratives is None


WRONG = [
    # unknown
    ("experiment.title", "x"),
    ("model.top_k", 5),
    ("model.api_key", "secret"),
    ("run.max_inflight", 4),
    ("shards.number", 4),
    ("report.narratives", True),
    # of a wrong type
    ("experiment.name", None),
    ("experiment.name", ["x"]),
    ("model.temperature", "warm"),
    ("model.temperature", True),
    ("model.max_tokens", "100"),
    ("model.max_tokens", 10.5),
    ("model.logprobs", "yes"),
    ("model.extra_body", "x"),
    ("model.structured_output", "json"),
    ("prompt.user_template", None),
    ("prompt.system_prompt", ["x"]),
    ("data.file", None),
    ("run.seed", "42"),
    ("run.seed", 4.2),
    ("run.max_in_flight", True),
    ("run.budget_tokens", "1e6"),
    ("run.save_csv_json", "yes"),
    ("shards.count", None),
    ("report.show_narratives", 1),
    # out of range
    ("experiment.name", ""),
    ("experiment.slug", "../other"),
    ("experiment.slug", "experiments.db-journal"),
    ("experiment.slug", "experiments.db"),
    ("experiment.slug", "backups"),
    ("experiment.slug", "Cases"),
    ("experiment.slug", "a/b"),
    ("experiment.slug", "."),
    ("model.name", ""),
    ("model.temperature", -0.1),
    ("model.temperature", 2.1),
    ("model.temperature", float("nan")),
    ("model.max_tokens", 0),
    ("run.seed", 2**63),
    ("run.max_narratives", 0),
    ("run.max_narratives", -5),
    ("run.max_in_flight", 0),
    ("run.max_in_flight", 1025),
    ("run.timeout_s", 0),
    ("run.timeout_s", float("nan")),
    ("run.max_attempts", 0),
    ("run.give_up_after_s", 0),
    ("run.requests_per_minute", 0),
    ("run.requests_per_minute", -1),
    ("run.budget_tokens", 0),
    ("run.notify", 5),
    ("run.notify", ["mail", "me"]),
    ("run.notify", True),
    ("run.notify", ""),
    ("run.notify", " \n"),
    ("run.notify", "mail \x00 me"),
    ("run.notify", "mail \x1b[2J me"),
    ("shards.count", 0),
    ("shards.count", 1001),
    # not a meaning
    ("prompt.user_template", "no mark"),
    ("model.api_url", ""),
    ("model.api_url", "localhost:1234"),
    ("model.api_url", "ftp://localhost/v1"),
    ("model.api_url", "http://localhost:abc/v1"),
    ("model.api_url", "http://localhost:99999/v1"),
    ("model.api_url", "http://[::1/v1"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_mistake_is_named_by_its_key(key: str, value: Any) -> None:
    """An unknown key, a wrong type or a value out of range is an error that names file and key."""
    section, name = key.split(".")
    with pytest.raises(ParamsError) as caught:
        check(values_of(**{section: {name: value}}), "my.yaml")
    told = str(caught.value)
    assert "my.yaml" in told
    assert re.search(rf"\b{section}(\.|: ){name}\b", told)


@pytest.mark.parametrize("key", ["experiment.name", "model.name", "prompt.user_template", "data.file"])
def test_a_key_without_a_default_must_be_there(key: str) -> None:
    """What nobody can guess is missing by name."""
    section, name = key.split(".")
    values = values_of()
    del values[section][name]
    with pytest.raises(ParamsError, match=rf"{section}\.{name}: missing"):
        check(values, "my.yaml")


@pytest.mark.parametrize("section", ["experiment", "model", "prompt", "data"])
def test_a_section_without_defaults_must_be_there(section: str) -> None:
    """A missing section is named."""
    values = values_of()
    del values[section]
    with pytest.raises(ParamsError, match=rf"{section}: missing"):
        check(values, "my.yaml")


@pytest.mark.parametrize("values", [{"runs": {}}, {"run": 5}, {"run": []}, {1: 2}])
def test_a_section_that_is_none_is_named(values: dict[Any, Any]) -> None:
    """An unknown section, or one that holds no keys but a value, is named."""
    with pytest.raises(ParamsError, match=str(next(iter(values)))):
        check({**values_of(), **values}, "my.yaml")


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody mends one key after the other."""
    with pytest.raises(ParamsError) as caught:
        check(values_of(run={"seed": "x", "sed": 1}, shards={"count": 0}), "my.yaml")
    for key in ("run.seed", "run.sed", "shards.count"):
        assert f"{key}:" in str(caught.value)


def test_the_embedded_model_needs_no_address() -> None:
    """`provider: embedded` is a server of our own; any other one has an address."""
    params = check(values_of(model={"provider": "embedded", "api_url": ""}), "x.yaml")
    assert params.model.embedded


@given(st.text(min_size=1))
@example("Backups")
@example("Development")
def test_a_folder_is_made_from_any_name(name: str) -> None:
    """The slug made from a name is one that the params take, and the same each time."""
    slug = slug_of(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", slug)
    assert slug_of(name) == slug
    assert check(values_of(experiment={"slug": slug}), "x.yaml").slug == slug


def test_an_explicit_slug_stands() -> None:
    """A slug that is given is taken, and the name makes none."""
    assert check(values_of(experiment={"slug": "pilot-1"}), "x.yaml").slug == "pilot-1"


def test_params_survive_json() -> None:
    """What is written to the journal's head is read back as the same params."""
    params = check(read_file(ROOT / "params.yaml"), "params.yaml")
    assert check(params.model_dump(mode="json"), "the journal") == params


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"text", b"a: [", b"\xff\xfe\x00", b"a: \x01", b"a: *x"])
def test_a_file_that_holds_no_params_is_named(content: bytes, tmp_path: Path) -> None:
    """What is no mapping in YAML ends with the file's name."""
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with pytest.raises(ParamsError, match=r"my\.yaml"):
        read_file(path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """A missing file ends with its name, and so does a folder in its place."""
    with pytest.raises(ParamsError, match=r"my\.yaml"):
        read_file(tmp_path / "my.yaml")
    (tmp_path / "my.yaml").mkdir()
    with pytest.raises(ParamsError, match=r"my\.yaml"):
        read_file(tmp_path / "my.yaml")


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    """A byte-order mark and other line ends change no value."""
    path = tmp_path / "my.yaml"
    text = OF_THE_R_SYSTEM.replace("{api_url}", "http://localhost:1234/v1")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read_file(path) == yaml.safe_load(text)


@pytest.mark.parametrize("slug", ["experiments.db", "backups", "development", "x" * 101])
def test_a_slug_that_cannot_be_a_folder_is_refused(slug: str) -> None:
    """A slug that would stand in the place of the record, its backups or what is tried, or is too long, is named."""
    with pytest.raises(ParamsError, match=r"experiment\.slug"):
        check(values_of(experiment={"slug": slug}), "params.yaml")


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://user:hush@localhost:1/v1", "password"),
        ("http://hush@localhost:1/v1", "password"),
        ("http://localhost:1/v1?api_key=hush", "key"),
        ("http://localhost:1/v1?api-version=1&subscription-key=hush", "key"),
        ("http://localhost:1/v1?access_token=hush", "key"),
        ("http://localhost:1/v1?apikey=hush", "key"),
    ],
)
def test_a_key_in_the_address_is_refused(url: str, word: str) -> None:
    """A password or a key in model.api_url is refused with the way that works, and is not repeated."""
    params = check({**values_of(), "model": {"name": "m", "api_url": url}}, "params.yaml")
    with pytest.raises(ParamsError) as caught:
        refuse_secrets(params, "params.yaml")
    assert word in str(caught.value) and "LLM_API_KEY" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_password_in_what_is_no_address_is_not_repeated() -> None:
    """Also where the address is none, the message does not hold what could be a password."""
    with pytest.raises(ParamsError) as caught:
        check({**values_of(), "model": {"name": "m", "api_url": "ftp://user:hush@localhost"}}, "params.yaml")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["messages", "model", "temperature", "seed", "max_tokens", "stream", "n"])
def test_nothing_of_a_request_is_replaced_behind_the_record(name: str) -> None:
    """extra_body may add to a request; a part that has a place of its own is refused by its key."""
    model = {"name": "m", "api_url": "http://localhost:1/v1", "extra_body": {"top_k": 5, name: 1}}
    with pytest.raises(ParamsError, match=rf"model\.extra_body\.{name}: "):
        refuse_overrides(check({**values_of(), "model": model}, "params.yaml"), "params.yaml")
    refuse_overrides(check({**values_of(), "model": {**model, "extra_body": {"top_k": 5}}}, "params.yaml"), "here")


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)),
        "a: &a [1, *a]\n",
        "a: &a {b: {c: *a}}\n",
    ],
)
def test_a_file_that_repeats_itself_without_end_is_refused(tmp_path: Path, text: str) -> None:
    """Anchors and aliases that would fill the memory, or have no end, are refused; a few are as good as any text."""
    (tmp_path / "bomb.yaml").write_text(text)
    with pytest.raises(ParamsError, match="anchors"):
        read_file(tmp_path / "bomb.yaml")
    (tmp_path / "fine.yaml").write_text("a: &a {b: 1}\nc: *a\nd: *a\n")
    assert read_file(tmp_path / "fine.yaml")["d"] == {"b": 1}


def test_of_merged_mappings_the_first_counts(tmp_path: Path) -> None:
    """Where several mappings are merged, a key has its value in the first that holds it, as YAML 1.1 has it, and one of
    its own before all: another order would ask with other params."""
    text = "a: &a {tokens: 1}\nb: &b {tokens: 2, seed: 2}\nboth: {<<: [*a, *b]}\nown: {<<: [*a, *b], tokens: 3}\n"
    (tmp_path / "merged.yaml").write_text(text)
    values = read_file(tmp_path / "merged.yaml")
    assert (values["both"], values["own"]) == ({"tokens": 1, "seed": 2}, {"tokens": 3, "seed": 2})


def test_a_query_stays_where_it_belongs() -> None:
    """What follows the question mark of an address stays at its end, for chat and for the list of models alike."""
    url = "https://host/openai/deployments/m/chat/completions?api-version=2024-10-21"
    params = check({**values_of(), "model": {"name": "m", "api_url": url}}, "params.yaml")
    refuse_secrets(params, "params.yaml")
    server = Server(params.model.base_urls[0], "", 1)
    assert server.completions_url == url
    assert server.models_url == "https://host/openai/deployments/m/models?api-version=2024-10-21"


def with_model(**model: Any) -> Params:
    """The params of a small file with this model section."""
    return check({**values_of(), "model": {"name": "m", **model}}, "params.yaml")


def test_several_servers_are_a_list() -> None:
    """api_url may be a list of servers, each in either form; one alone is a list of one."""
    urls = ["http://gpu01:8000/v1/chat/completions", "http://gpu02:8000/v1/"]
    assert with_model(api_url=urls).model.base_urls == ["http://gpu01:8000/v1", "http://gpu02:8000/v1"]
    assert with_model(api_url=urls[0]).model.base_urls == ["http://gpu01:8000/v1"]


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        ([], "is not a URL"),
        (["http://gpu01:8000/v1", ""], "is not a URL"),
        (["http://gpu01:8000/v1", "gpu02:8000"], "'gpu02:8000' is not a URL"),
        (["http://gpu01:8000/v1", "http://gpu01:8000/v1/chat/completions"], "names a server twice"),
    ],
)
def test_a_list_of_servers_is_checked(urls: list[str], words: str) -> None:
    """Each server of a list is an address, and stands there once."""
    with pytest.raises(ParamsError, match=words):
        with_model(api_url=urls)


def test_a_key_in_one_of_several_addresses_is_refused() -> None:
    """No address of a list may hold a key."""
    with pytest.raises(ParamsError, match="holds a key"):
        refuse_secrets(with_model(api_url=["http://a/v1", "http://b/v1?api_key=1"]), "params.yaml")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"provider": "command"}, "command: it is empty"),
        ({"provider": "command", "command": "llama-server --port 8080"}, "{port} is missing"),
        ({"command": "llama-server --port {port}", "api_url": "http://a/v1"}, "with provider: command alone"),
    ],
)
def test_a_command_is_checked(model: dict[str, str], words: str) -> None:
    """A command that starts a server says where its port stands, and is given where it is used."""
    with pytest.raises(ParamsError, match=words):
        with_model(**model)


@pytest.mark.parametrize("argument", ["--api-key sk-1", "--api_key=sk-1", "--hf-token abc", "--KEY x"])
def test_a_key_in_a_command_is_refused(argument: str) -> None:
    """No command may hold a key."""
    params = with_model(provider="command", command=f"serve --port {{port}} {argument}")
    assert params.model.starts_server and params.model.base_urls == []
    with pytest.raises(ParamsError, match="command holds a key"):
        refuse_secrets(params, "params.yaml")


@pytest.mark.parametrize(
    "line",
    [
        'curl -H "Authorization: Bearer hush" https://ntfy.example.org/topic',
        "curl -H 'X-Api-Key: hush' https://example.org",
        "curl -u me:hush https://example.org",
        "curl --user=me:hush https://example.org",
        "curl https://me:hush@example.org/topic",
        "curl 'https://example.org/topic?a=1&access_token=hush'",
        "notify --token hush",
        "NTFY_TOKEN=hush ntfy publish topic",
        "curl -d hello https://hooks.slack.com/services/T0/B0/hush",
        "curl -d hello https://discord.com/api/webhooks/1/hush",
        "curl https://api.telegram.org/bot1:hush/sendMessage",
    ],
)
def test_a_key_in_a_notice_is_refused(line: str) -> None:
    """The line of run.notify holds no key or password, and the message repeats none."""
    with pytest.raises(ParamsError, match=r"run\.notify holds a key or a password") as caught:
        refuse_secrets(check(values_of(run={"notify": line}), "params.yaml"), "params.yaml")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        'mail -s "$NARRATIVE_RUNS_SLUG: $NARRATIVE_RUNS_EVENT" you@example.org',
        'curl -H "Authorization: Bearer $NTFY_TOKEN" -d "$NARRATIVE_RUNS_MESSAGE" https://ntfy.example.org/topic',
        'curl -H "Authorization: Bearer $(cat ~/.ntfy-token)" https://ntfy.example.org/topic',
        'curl -u "$USER:$(cat ~/.password)" https://example.org',
        'curl -d hello "$(cat ~/.slack-webhook)"',
        'curl "https://example.org/?token=$TOKEN"',
        'TOKEN=$(cat ~/.token) notify --token "$TOKEN"',
        'notify-send -u critical "the key word: done"',
        "echo $(date -u +%H:%M) >> notices.log",
        "if true; then\n\tmail you\nfi\n",
    ],
)
def test_a_notice_may_read_its_key_elsewhere(line: str) -> None:
    """A variable or a file may hold a key, and a line of several lines is one for the shell."""
    params = check(values_of(run={"notify": line}), "params.yaml")
    refuse_secrets(params, "params.yaml")
    refuse_unreadable(params, "params.yaml")


@pytest.mark.parametrize("line", ['mail -s "done you@example.org', "mail | | cat", "if true; then mail you"])
def test_a_notice_that_no_shell_can_read_is_refused(line: str, tmp_path: Path) -> None:
    """A mistake in the line is told at the start, and nothing of the line is run."""
    params = check(values_of(run={"notify": f"echo > {tmp_path / 'run'}; {line}"}), "params.yaml")
    with pytest.raises(ParamsError, match=r"run\.notify: the shell cannot read it \(.+\)\. Try"):
        refuse_unreadable(params, "params.yaml")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("slug", ["Partner violence", "partner_Violence", "-x"])
def test_a_slug_that_cannot_be_used_is_refused_in_words(slug: str) -> None:
    """Nobody has to read a pattern: the message names the key, what was typed, and what a slug may hold."""
    with pytest.raises(ParamsError) as raised:
        check({"experiment": {"name": "x", "slug": slug}}, "my.yaml")
    (line,) = [line for line in str(raised.value).splitlines() if "experiment.slug" in line]
    assert line == f"  experiment.slug: {slug!r}: use small letters, digits and hyphens, such as partner-violence."


def test_the_file_to_copy_says_nothing_of_another_study() -> None:
    """Notes stand in the report: those of the file that people copy are empty."""
    assert read_file(ROOT / "params.production.yaml")["experiment"]["notes"] == ""
