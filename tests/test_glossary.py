"""The words that docs/glossary.md gives up are used nowhere: neither as names in the code nor in running text."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
CODE = ROOT / "src" / "narrative_runs"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

Words = tuple[str, ...]


class Row(NamedTuple):
    """One term of the glossary: what it means, and what it is not called, in the code and in running text."""

    term: str
    meaning: str
    names: list[str]
    phrases: list[str]


class Name(NamedTuple):
    """A name where the code gives it to something; is_thing: whether that is a class or a module."""

    line: int
    text: str
    is_thing: bool


class Use(NamedTuple):
    """Where an avoided word stands."""

    file: str
    line: int
    word: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.word}"


def rows(glossary: str) -> list[Row]:
    """The terms of a glossary: the rows of its tables, without their headers."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in glossary.splitlines() if line[:1] == "|"]
    return [
        Row(term, meaning, re.findall(r"`([^`]+)`", avoided), re.findall(r'"([^"]+)"', avoided))
        for term, meaning, avoided in cells
        if term != "term" and set(term) != {"-"}
    ]


@cache
def words_of(name: str) -> Words:
    """The words of a name, or of a term: split at underscores, blanks and capitals."""
    return tuple(word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name.replace("'s", "")))


def holds(whole: Words, part: Words) -> bool:
    """Whether these words hold those, one after the other."""
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


def names_given(module: ast.Module, path: Path) -> Iterator[Name]:
    """All names that a module gives: its own, and those of classes, functions, arguments, attributes and variables."""
    yield Name(1, path.parent.name if path.stem == "__init__" else path.stem, is_thing=True)
    for node in ast.walk(module):
        match node:
            case ast.ClassDef():
                yield Name(node.lineno, node.name, is_thing=True)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield Name(node.lineno, node.name, is_thing=False)
            case ast.arg():
                yield Name(node.lineno, node.arg, is_thing=False)
            case ast.Attribute(ctx=ast.Store()):
                yield Name(node.lineno, node.attr, is_thing=False)
            case ast.Name(ctx=ast.Store()):
                yield Name(node.lineno, node.id, is_thing=False)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield Name(node.lineno, name, is_thing=False)
            case ast.alias(asname=str(name)):
                yield Name(node.lineno, name, is_thing=False)


def texts(module: ast.Module) -> Iterator[tuple[int, int, str]]:
    """(first line, last line, text) of each docstring and each other string; of an f-string what is fixed in it."""
    within_another: set[ast.AST] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            within_another |= set(node.values)
            fixed = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield node.lineno, node.end_lineno or node.lineno, "".join(map(str, fixed))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in within_another:
            yield node.lineno, node.end_lineno or node.lineno, node.value


def avoided_names(code: str, path: Path, glossary: list[Row]) -> Iterator[tuple[int, str]]:
    """(line, word) of each name that the glossary avoids; what is part of one of its terms is none."""
    terms = [words_of(row.term) for row in glossary]
    for name in names_given(ast.parse(code), path):
        words = words_of(name.text)
        for avoided in (each for row in glossary for each in row.names):
            if not name.is_thing and avoided[0].isupper():
                continue
            part = words_of(avoided)
            if holds(words, part) and not any(holds(words, term) and holds(term, part) for term in terms):
                yield name.line, f"{avoided} (in {name.text})"


def avoided_phrases(text: str, glossary: list[Row]) -> Iterator[str]:
    """The phrases of a text that the glossary avoids, however its lines are broken."""
    joined = " ".join(text.split())
    lowered = joined.lower()
    for phrase in (each for row in glossary for each in row.phrases):
        # The first half is quick, and seldom true.
        if phrase.lower() in lowered and re.search(rf"\b{re.escape(phrase)}\b", joined, re.I):
            yield phrase


def line_of(phrase: str, lines: list[str], first: int, last: int) -> int:
    """The line, of those from `first` to `last`, on which a phrase begins; `first` where it cannot be told."""
    for number in range(first, last + 1):
        here = " ".join(lines[number - 1 : number + 1])
        at = re.search(rf"\b{re.escape(phrase.split()[0])}\b", lines[number - 1], re.I)
        if at and (len(phrase.split()) == 1 or re.search(re.escape(phrase.split()[1]), here[at.end() :], re.I)):
            return number
    return first


def phrases_in_code(code: str, glossary: list[Row]) -> Iterator[tuple[int, str]]:
    """(line, phrase) of each avoided phrase in a docstring or another string."""
    lines = code.splitlines()
    for first, last, text in texts(ast.parse(code)):
        for phrase in avoided_phrases(text, glossary):
            yield line_of(phrase, lines, first, last), phrase


def prose(page: str) -> str:
    """A page line by line, without code and without what a glossary avoids."""
    page = re.sub(r"^( *)```.*?^ *```$", lambda fenced: "\n" * fenced[0].count("\n"), page, flags=re.M | re.S)
    page = re.sub(r"`[^`\n]+`", "…", page)
    return re.sub(r'^(\|[^|\n]*\|[^|\n]*\|)[^\n]*"[^\n]*\|$', r"\1", page, flags=re.M)


def phrases_on_page(page: str, glossary: list[Row]) -> Iterator[tuple[int, str]]:
    """(line, phrase) of each avoided phrase on a page of the documentation."""
    text = prose(page)
    lines = text.splitlines()
    for phrase in avoided_phrases(text, glossary):
        yield line_of(phrase, lines, 1, len(lines)), phrase


TERMS = rows(GLOSSARY.read_text(encoding="utf-8"))


def uses_in_code() -> list[Use]:
    """All avoided words in the code."""
    uses = []
    for path in sorted(CODE.rglob("*.py")):
        code, file = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
        found = {*avoided_names(code, path, TERMS), *phrases_in_code(code, TERMS)}
        uses += [Use(file, line, word) for line, word in sorted(found)]
    return uses


def test_the_code_uses_no_word_that_is_avoided() -> None:
    """No name, no docstring and no message in the code has a word that the glossary gives up."""
    uses = uses_in_code()
    assert not uses, "\n" + "\n".join(map(str, uses))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_page_uses_a_phrase_that_is_avoided(page: Path) -> None:
    """The documentation has none of the phrases that the glossary gives up."""
    found = [f"{page.name}:{line} {phrase}" for line, phrase in phrases_on_page(page.read_text("utf-8"), TERMS)]
    assert not found, "\n" + "\n".join(found)


def test_every_term_is_explained_once() -> None:
    """No term of the glossary stands there twice or without a meaning, and none is avoided itself."""
    terms = [row.term for row in TERMS]
    assert len(terms) == len(set(terms)) > 0
    assert all(row.meaning for row in TERMS)
    avoided = {word.lower() for row in TERMS for word in (*row.names, *row.phrases)}
    assert not avoided & {term.lower() for term in terms}


SMALL = rows(
    """
| term | what it means | words to avoid |
| --- | --- | --- |
| limiter | grants slots | `gate`, `Order`, "the gatekeeper" |
| reviewer's verdict | of a person | |
| outcome | of a comparison | `verdict` |
| message | what was said | `told`, "gone on with" |
"""
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("class GateServer: ...", ["gate (in GateServer)"]),
        ("def open_gate(): ...", ["gate (in open_gate)"]),
        ("def ask(the_gate=1): ...", ["gate (in the_gate)"]),
        ("self.gate = 1", ["gate (in gate)"]),
        ("for _gate in (): ...", ["gate (in _gate)"]),
        ("import places as gate", ["gate (in gate)"]),
        ("try: ...\nexcept OSError as gate: ...", ["gate (in gate)"]),
        ("class RunOrder: ...", ["Order (in RunOrder)"]),
        ("order = verdict = 1", ["verdict (in verdict)"]),
        ("reviewer_verdict = 1", []),
        ("gateway = negated = delegate = 1", []),
        ("x = gate.open()", []),
        ("told = 1", ["told (in told)"]),
    ],
)
def test_names_are_found_by_their_words(code: str, expected: list[str]) -> None:
    """A name is found wherever the code gives it; longer words, other people's names and terms are not."""
    assert [word for _, word in avoided_names(code, CODE / "paths.py", SMALL)] == expected


def test_a_module_is_a_name() -> None:
    """A module, and a package by its __init__.py, is found by its own name."""
    for path in (CODE / "order.py", CODE / "order" / "__init__.py"):
        assert list(avoided_names("", path, SMALL)) == [(1, "Order (in order)")]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ('"""It can be\n    gone on\nwith."""', 2),
        ('x = f"{y} is gone "\nz = 1', None),
        ('x = (\n    f"{y} can be gone "\n    f"on with {z}"\n)', 2),
        ('x = "Gone on with."', 1),
        ("# gone on with", None),
    ],
)
def test_phrases_are_found_over_line_ends(code: str, line: int | None) -> None:
    """A phrase is found in docstrings and strings, also where lines or pieces of a string divide it."""
    assert list(phrases_in_code(code, SMALL)) == ([] if line is None else [(line, "gone on with")])


def test_a_page_is_searched_without_its_code() -> None:
    """Running text, of tables too, is searched; code, and what a glossary lists as avoided, is not."""
    page = 'A\n```\ngone on with\n```\n`gone on with`\n| a | b | "gone on with" |\nIt is gone\non with.\n'
    assert list(phrases_on_page(page, SMALL)) == [(7, "gone on with")]
    assert list(phrases_on_page("| a | gone on with | c |\n", SMALL)) == [(1, "gone on with")]
