"""The programs that read our files: where they are installed, and how they tell what they have read."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.project import Project
from tests.real_programs.lines import Lines
from tests.real_servers.environments import APT_GET, NotInstallable, PythonEnvironment, find, locked, run

R_PACKAGES = ("readr", "readxl", "DBI", "RSQLite", "jsonlite")
POLARS_AND_DUCKDB = PythonEnvironment("polars-duckdb", (str(Path(__file__).with_name("requirements.txt")),))

_PYTHON_DUMP = """
import datetime, json

def plain(value):
    if isinstance(value, datetime.datetime):
        return f"time {value:%Y-%m-%d %H:%M:%S}"
    return value.item() if hasattr(value, "item") else value

def columns_of(table):
    if hasattr(table, "fetchall"):
        return dict(zip(table.columns, zip(*table.fetchall())))
    if hasattr(table, "notna"):
        return table.astype(object).where(table.notna(), None).to_dict("list")
    return table.to_dict(as_series=False)

def dump(table, name):
    columns = {column: [plain(value) for value in values] for column, values in columns_of(table).items()}
    with open(f"{DUMPS}/{name}", "w", encoding="utf-8") as file:
        json.dump(columns, file)
"""
_R_DUMP = """
options(warn = 2)
dump <- function(table, name) {
  table <- as.data.frame(table)
  times <- vapply(table, inherits, TRUE, "POSIXct")
  table[times] <- lapply(table[times], format, "time %Y-%m-%d %H:%M:%S")
  jsonlite::write_json(as.list(table), file.path(DUMPS, name), na = "null", digits = NA)
}
"""


@dataclass(frozen=True)
class Program:
    """A program that runs lines: its command, which is followed by a file of them; how that file begins; its ending."""

    command: tuple[str, ...]
    preamble: str
    ending: str

    def read(self, project: Project, slug: str, lines: Lines, folder: Path) -> Mapping[str, dict[str, list[Any]]]:
        """Run the lines in the project folder; returns the columns that were read from each file, by its name."""
        script = folder / f"lines.{self.ending}"
        sign = "=" if self.ending == "py" else "<-"
        begin = f"DUMPS {sign} {json.dumps(str(folder))}\n{self.preamble}\n"
        script.write_text(begin + lines.with_dumps(slug) + "\n", encoding="utf-8")
        done = subprocess.run(
            [*self.command, str(script)], cwd=project.folder, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in lines.files}


def our_python() -> Program:
    """This project's Python, with pandas."""
    return Program((sys.executable, "-W", "error::FutureWarning"), _PYTHON_DUMP, "py")


def python_with_polars_and_duckdb() -> Program:
    """A Python that has polars and DuckDB.

    Raises:
        NotInstallable: they cannot be installed.
    """
    POLARS_AND_DUCKDB.install()
    return Program((str(POLARS_AND_DUCKDB.programs / "python"),), _PYTHON_DUMP, "py")


def r() -> Program:
    """R with the packages that read our files; warnings are errors.

    Raises:
        NotInstallable: it is missing, and cannot be installed.
    """
    packages = ["r-base-core", *(f"r-cran-{name.lower()}" for name in R_PACKAGES)]
    return Program((str(debian("Rscript", packages, _has_r_packages)), "--vanilla"), _R_DUMP, "R")


def libreoffice() -> Path:
    """LibreOffice's spreadsheet.

    Raises:
        NotInstallable: it is missing, and cannot be installed.
    """
    return debian("soffice", ["libreoffice-calc-nogui"])


def debian(name: str, packages: list[str], is_complete: Callable[[Path], bool] = Path.exists) -> Path:
    """A program, installed from these packages of Debian where it is missing or not complete.

    Raises:
        NotInstallable: it is missing, and cannot be installed.
    """
    with locked("debian"):
        program = find(name)
        if program is None or not is_complete(program):
            if shutil.which("apt-get") is None or os.geteuid() != 0:
                raise NotInstallable(f"{name} is not complete, and only root of a Debian system can install it here")
            run(*APT_GET, "update")
            run(*APT_GET, "install", "-y", "--no-install-recommends", *packages, DEBIAN_FRONTEND="noninteractive")
            program = find(name)
    if program is None:
        raise NotInstallable(f"no package of {', '.join(packages)} holds a program {name}")
    return program


def _has_r_packages(program: Path) -> bool:
    asked = ", ".join(f'requireNamespace("{name}")' for name in R_PACKAGES)
    return subprocess.run([program, "-e", f"stopifnot({asked})"], capture_output=True).returncode == 0
