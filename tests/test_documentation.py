import argparse
import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.cli import DvcParserError  # type: ignore[import-untyped]
from dvc.cli.parser import get_main_parser  # type: ignore[import-untyped]
from pydantic import BaseModel
from snakemake.cli import get_argument_parser

from narrative_runs import __main__ as command_line
from narrative_runs.params import Params
from narrative_runs.record import schema

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
RULES = set(
    re.findall(r"^rule (\w+):", "\n".join(path.read_text() for path in (ROOT / "workflow").rglob("*.smk")), re.M)
)
FENCED = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")
PROGRAMS = ("snakemake", "narrative-runs", "make", "dvc")
FILE_ENDINGS = ("html", "log", "py", "yaml")
SECTIONS = {name: field.annotation for name, field in Params.model_fields.items()}


def blocks(text: str) -> list[str]:
    """The fenced code blocks of a page."""
    return FENCED.findall(text)


def inline(text: str) -> list[str]:
    """The code spans of a page, outside its blocks."""
    return INLINE.findall(FENCED.sub("", text))


def commands() -> list[tuple[str, str]]:
    """(page, command line) of all that a page has its reader type, in blocks and in code spans."""
    found = []
    for page, text in TEXTS.items():
        lines = [line.strip().removeprefix("$ ") for block in blocks(text) for line in block.splitlines()]
        for line in [*lines, *inline(text)]:
            words = line.split()
            if len(words) > 1 and words[0] in PROGRAMS and words[1].strip("…"):
                found.append((page, line))
    return sorted(set(found))


def our_parser(monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """The parser of `narrative-runs`, as its main makes it."""
    made: list[argparse.ArgumentParser] = []

    def keep(parser: argparse.ArgumentParser, *_: object) -> argparse.Namespace:
        made.append(parser)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", keep)
        with pytest.raises(KeyboardInterrupt):
            command_line.main()
    return made[0]


def test_commands_for_people_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every subcommand of `narrative-runs` that people type is named in the README or in docs/."""
    typed = {words[1] for _, line in commands() if (words := line.split())[0] == "narrative-runs"}
    (subcommands,) = (action.choices for action in our_parser(monkeypatch)._actions if isinstance(action.choices, dict))
    for name, parser in subcommands.items():
        assert name in typed or (parser.description or "").startswith("job of the workflow"), name


def test_arguments_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every argument of every subcommand is explained by its --help."""
    (subcommands,) = (action.choices for action in our_parser(monkeypatch)._actions if isinstance(action.choices, dict))
    for name, parser in subcommands.items():
        assert not [action.dest for action in parser._actions if not action.help], name


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_can_be_typed(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command line in the README and docs/ has only subcommands, options and targets that exist."""
    program, *words = shlex.split(line, comments=True)
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for word in words:
            name, is_variable, _ = word.partition("=")
            assert re.search(rf"^{name} \?=" if is_variable else rf"^{name}:", makefile, re.M), f"{page}: {line}"
        return
    parsers = {
        "snakemake": get_argument_parser,
        "dvc": get_main_parser,
        "narrative-runs": lambda: our_parser(monkeypatch),
    }
    # In running text a subcommand may stand without its arguments.
    is_name = program != "snakemake" and len(words) == 1
    try:
        arguments = parsers[program]().parse_args([*words, "--help"] if is_name else words)
    except (SystemExit, DvcParserError) as end:
        assert is_name and isinstance(end, SystemExit) and not end.code, f"{page}: {line}"
        return
    if program == "snakemake":
        assert {*(arguments.forcerun or ()), *arguments.targets} <= RULES, f"{page}: {line}"


def paths() -> Iterator[tuple[str, str]]:
    """(page, file or folder name) of each path below results/ that a page names."""
    for page, text in TEXTS.items():
        for line in text.splitlines():
            before = ""
            for code in INLINE.findall(line):
                path = (
                    before.rsplit(".", 1)[0] + code
                    if re.search(r"\.\w+$", before) and re.fullmatch(r"\.[a-z]+", code)
                    else code
                )
                before = path if path.startswith("results/") else ""
                for name in before.split("/")[1:]:
                    if name and not re.search(r"[<…*\d]|SLUG", name):
                        yield page, name


@pytest.mark.parametrize(("page", "name"), sorted(set(paths())))
def test_places_exist(page: str, name: str) -> None:
    """Every file and folder below results/ that a page names is one that the software writes."""
    assert f'"{name}"' in SOURCE, f"{page}: {name}"


def queries() -> list[tuple[str, str]]:
    """(page, SQL) of each query that a page has its reader give to sqlite3."""
    typed = re.compile(r'^sqlite3 [^"]*(?:"\.timeout \d+"[^"]*)?"([^"]+)"', re.M)
    bare = re.compile(r"^```sql\n(.*?)^```$", re.M | re.S)
    return [(page, sql) for page, text in TEXTS.items() for sql in [*typed.findall(text), *bare.findall(text)]]


@pytest.mark.parametrize(("page", "sql"), queries())
def test_queries_run(page: str, sql: str) -> None:
    """Every query in the README and docs/ runs on a record, down to its last statement."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection)
    connection.executescript(sql)
    connection.close()


def links() -> list[tuple[str, str]]:
    """(page, target) of each link that stays in the project."""
    return [
        (page, target)
        for page, text in TEXTS.items()
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if not target.startswith(("http:", "https:"))
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_links_lead_somewhere(page: str, target: str) -> None:
    """Every link within the project leads to a file, and to a heading of it where it names one."""
    file, _, heading = target.partition("#")
    path = (ROOT / page).parent / file if file else ROOT / page
    assert path.exists(), f"{page}: {target}"
    if heading:
        titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
        assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target


@pytest.mark.parametrize("page", TEXTS)
def test_params_exist(page: str) -> None:
    """Every params key that a page names as `section.key` is a key of the params file."""
    named = re.findall(rf"(?<![\w./-])({'|'.join(SECTIONS)})\.([a-z_]+)\b", TEXTS[page])
    for section, key in named:
        model = SECTIONS[section]
        assert isinstance(model, type) and issubclass(model, BaseModel)
        assert key in {*model.model_fields, *FILE_ENDINGS}, f"{page}: {section}.{key}"


def messages() -> list[str]:
    """What docs/troubleshooting.md quotes as a message: the code spans that begin a point, before its colon."""
    points = re.findall(r"^- (`.+?`)(?=[:,] |:\n|:$)", TEXTS["docs/troubleshooting.md"], re.M | re.S)
    return [message for point in points for message in INLINE.findall(point.replace("\n", " "))]


@pytest.mark.parametrize("message", messages())
def test_messages_are_the_softwares(message: str) -> None:
    """Every message that the troubleshooting page explains is one that the software can say."""
    joined = re.sub(r'"\s*\n\s*f?r?"', "", SOURCE)
    said = re.sub(r"\{[^{}]*\}", "…", joined)
    for part in message.split("…"):
        assert part.strip(" ,.:()") in said, message


def named_tests() -> list[tuple[str, str, str]]:
    """(page, file, test) of each test that a page names as `file::test`."""
    return [(page, *found) for page, text in TEXTS.items() for found in re.findall(r"`(tests/[\w/.]+)::([^`]+)`", text)]


def test_tests_that_are_named_exist() -> None:
    """Every test that a page calls upon as proof is there."""
    named = named_tests()
    assert named
    for page, file, name in named:
        assert re.search(rf"^(async )?def {re.escape(name)}\(", (ROOT / file).read_text("utf-8"), re.M), (
            f"{page}: {name}"
        )
