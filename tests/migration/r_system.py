"""Records as the R system made them, of each age, built from its column lists."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

EXPERIMENT_ID = "6f1d3b1e-0000-4000-8000-000000000001"

# The columns of the R system's tables, newest age, in its order.
EXPERIMENTS = """
experiment_id TEXT PRIMARY KEY, experiment_name TEXT NOT NULL, status TEXT DEFAULT 'running', model_name TEXT,
model_provider TEXT, temperature REAL, system_prompt TEXT, user_template TEXT, prompt_version TEXT, prompt_author TEXT,
run_seed INTEGER, data_file TEXT, n_narratives_total INTEGER, n_narratives_processed INTEGER DEFAULT 0,
n_narratives_skipped INTEGER DEFAULT 0, n_narratives_completed INTEGER DEFAULT 0, last_progress_update TEXT,
estimated_completion_time TEXT, start_time TEXT, end_time TEXT, total_runtime_sec REAL, avg_time_per_narrative_sec REAL,
api_url TEXT, r_version TEXT, os_info TEXT, hostname TEXT, n_positive_detected INTEGER, n_negative_detected INTEGER,
n_positive_manual INTEGER, n_negative_manual INTEGER, accuracy REAL, precision_ipv REAL, recall_ipv REAL, f1_ipv REAL,
n_false_positive INTEGER, n_false_negative INTEGER, n_true_positive INTEGER, n_true_negative INTEGER,
pct_overlap_with_manual REAL, csv_file TEXT, json_file TEXT, log_dir TEXT, created_at TEXT, notes TEXT"""
NARRATIVE_RESULTS = """
result_id INTEGER PRIMARY KEY AUTOINCREMENT, experiment_id TEXT NOT NULL, incident_id TEXT, narrative_type TEXT,
row_num INTEGER, narrative_text TEXT, manual_flag_ind INTEGER, manual_flag INTEGER, detected INTEGER, confidence REAL,
indicators TEXT, rationale TEXT, reasoning_steps TEXT, raw_response TEXT, response_sec REAL, processed_at TEXT,
error_occurred INTEGER DEFAULT 0, error_message TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
tokens_used INTEGER, is_true_positive INTEGER, is_true_negative INTEGER, is_false_positive INTEGER,
is_false_negative INTEGER, attempt_count INTEGER DEFAULT 1, first_error_message TEXT, last_attempt_at TEXT,
error_category TEXT"""
SOURCE_NARRATIVES = """
narrative_id INTEGER PRIMARY KEY AUTOINCREMENT, incident_id TEXT NOT NULL, narrative_type TEXT NOT NULL,
narrative_text TEXT, manual_flag_ind INTEGER, manual_flag INTEGER, data_source TEXT, data_checksum TEXT,
loaded_at TEXT"""
RESUME = {"last_progress_update", "estimated_completion_time"}
RETRY = {"attempt_count", "first_error_message", "last_attempt_at", "error_category"}
TOKENS = {"prompt_tokens", "completion_tokens", "tokens_used"}
ERRORS = {"error_occurred", "error_message"}
# What each age lacks: columns, the unique index, the narratives of the workbook.
AGES: dict[str, dict[str, Any]] = {
    "newest": {"without": set()},
    "before migration 2": {"without": RETRY},
    "before migration 1": {"without": RETRY | RESUME | {"data_checksum"}, "index": False},
    "before tokens": {"without": RETRY | RESUME | TOKENS | {"data_checksum"}, "index": False},
    "oldest": {
        "without": RETRY | RESUME | TOKENS | ERRORS | {"n_narratives_completed"},
        "index": False,
        "sources": False,
    },
}


def names(columns: str) -> list[str]:
    """The names in a list of columns."""
    return [column.split()[0] for column in columns.split(",")]


def make(path: Path, age: str = "newest") -> None:
    """Make an empty record of an age."""
    lacks = {"index": True, "sources": True, **AGES[age]}

    def kept(columns: str) -> str:
        return ", ".join(column for column in columns.split(",") if column.split()[0] not in lacks["without"])

    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE experiments ({kept(EXPERIMENTS)})")
    connection.execute(f"CREATE TABLE narrative_results ({kept(NARRATIVE_RESULTS)})")
    if lacks["sources"]:
        unique = ", UNIQUE (data_source, data_checksum, incident_id, narrative_type)"
        has_checksum = "data_checksum" not in lacks["without"]
        connection.execute(
            f"CREATE TABLE source_narratives ({kept(SOURCE_NARRATIVES)}{unique if has_checksum else ''})"
        )
    if lacks["index"]:
        connection.execute(
            "CREATE UNIQUE INDEX uq_result_per_exp_narrative "
            "ON narrative_results(experiment_id, incident_id, narrative_type)"
        )
    connection.commit()
    connection.close()


def fill(path: Path, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows by column name, as R's DBI does; columns that the record's age lacks are left out."""
    connection = sqlite3.connect(path)
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    for row in rows:
        values = {name: value for name, value in row.items() if name in there}
        connection.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", [*values.values()]
        )
    connection.commit()
    connection.close()


def experiment(**changes: Any) -> dict[str, Any]:
    """The row of an experiment that is running; `changes` are columns of it."""
    return {
        "experiment_id": EXPERIMENT_ID,
        "experiment_name": "R run: thresholds ≥ 0.5",
        "status": "running",
        "model_name": "fake",
        "model_provider": "mlx",
        "temperature": 0.2,
        "system_prompt": "Decide.",
        "user_template": "Narrative: <<TEXT>>",
        "prompt_version": "v0.3.2",
        "prompt_author": "A. Researcher",
        "run_seed": 1024,
        "data_file": "data/cases.xlsx",
        "start_time": "2025-10-27 09:00:00",
        "created_at": "2025-10-27 08:59:58",
        "api_url": "http://localhost:1234/v1/chat/completions",
        "r_version": "R version 4.4.1 (2024-06-14)",
        "os_info": "Darwin 24.0",
        "hostname": "mac-studio",
        "notes": "first try, naïve prompt",
        **changes,
    }


def result(incident_id: Any, narrative_type: str, text: str | None, **changes: Any) -> dict[str, Any]:
    """The row of an answer; `changes` are columns of it."""
    return {
        "experiment_id": EXPERIMENT_ID,
        "incident_id": incident_id,
        "narrative_type": narrative_type,
        "row_num": 1,
        "narrative_text": text,
        "detected": 1,
        "confidence": 0.8,
        "indicators": '["threat – by café owner"]',
        "rationale": "of the R system",
        "reasoning_steps": "step 1",
        "raw_response": '{"detected": true}',
        "response_sec": 6.5,
        "processed_at": "2025-10-27 10:00:00",
        "error_occurred": 0,
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "tokens_used": 120,
        **changes,
    }


def error(incident_id: Any, narrative_type: str, text: str | None, message: str, **changes: Any) -> dict[str, Any]:
    """The row of a failure, as the R system wrote it."""
    nothing = dict.fromkeys(
        ("detected", "confidence", "indicators", "rationale", "reasoning_steps", "raw_response", "response_sec")
    )
    failed = {"error_occurred": 1, "error_message": message, **dict.fromkeys(TOKENS)}
    return result(incident_id, narrative_type, text, **{**nothing, **failed, **changes})


KILLED_WRITER = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN")
connection.execute("UPDATE experiments SET notes = 'half done'")
for number in range(200):
    connection.execute(
        "INSERT INTO narrative_results (experiment_id, incident_id, narrative_type, narrative_text) VALUES "
        "('half', ?, 'cme', ?)",
        (str(number), "x" * 3000),
    )
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(path: Path) -> None:
    """Leave the record as a program does that is killed amid a transaction: pages half written, a journal beside."""
    subprocess.run([sys.executable, "-c", KILLED_WRITER, str(path)], check=False)
    assert path.with_name(f"{path.name}-journal").stat().st_size


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
