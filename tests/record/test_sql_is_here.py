import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import narrative_runs

PACKAGE = Path(narrative_runs.__file__).parent
# The latter reads and mends records of the R system, whose tables are not ours.
ROOMS_WITH_SQL = ("record", "migration")
STATEMENT = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|PRAGMA|CREATE|ALTER|DROP|WITH|BEGIN|COMMIT|ROLLBACK|VACUUM|ATTACH)\b"
    r"|.*\b(FROM|INTO|UPDATE|TABLE|JOIN)\s+(experiments|narrative_results|source_narratives)\b"
    r"|.*\bWHERE\b.*\?|\s*CASE\s+WHEN\b",
    re.DOTALL,
)
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in ROOMS_WITH_SQL)


def statements(code: str) -> Iterator[str]:
    """The texts of a module that are SQL, each with its line; of a text with values in it, what stands between them."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value):
            yield f"line {node.lineno}: {node.value}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sql_stands_in_the_record_alone(path: Path) -> None:
    """No module outside `record/` and `migration/` holds SQL: whoever needs rows calls a function of the record."""
    assert list(statements(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    [
        "query('SELECT 1')",
        "query(f'SELECT {names} FROM {table}')",
        "query(f'{beginning} FROM experiments')",
        "execute('''\n  UPDATE experiments SET a = 1''')",
        "execute('PRAGMA user_version')",
        "execute('BEGIN IMMEDIATE')",
        "query(beginning + ' WHERE slug = ?')",
    ],
)
def test_sql_is_found(code: str) -> None:
    """A statement is found in whatever kind of text it stands."""
    assert len(list(statements(code))) == 1


@pytest.mark.parametrize("code", ["'Select a sheet.'", "'''Results from experiments.'''", "'WITHHELD'"])
def test_words_are_no_sql(code: str) -> None:
    """A message or a docstring is not taken for a statement."""
    assert list(statements(code)) == []
