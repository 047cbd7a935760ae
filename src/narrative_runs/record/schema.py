"""Tables of the record: those of the R system, column for column, then columns of our own."""

import sqlite3

from narrative_runs.codebook.result_columns import RECORD_COLUMNS

EXPERIMENTS = """
CREATE TABLE IF NOT EXISTS experiments (
  experiment_id TEXT PRIMARY KEY,
  experiment_name TEXT NOT NULL,
  status TEXT DEFAULT 'running',
  model_name TEXT,
  model_provider TEXT,
  temperature REAL,
  system_prompt TEXT,
  user_template TEXT,
  prompt_version TEXT,
  prompt_author TEXT,
  run_seed INTEGER,
  data_file TEXT,
  n_narratives_total INTEGER,
  n_narratives_processed INTEGER DEFAULT 0,
  n_narratives_skipped INTEGER DEFAULT 0,
  n_narratives_completed INTEGER DEFAULT 0,
  last_progress_update TEXT,
  estimated_completion_time TEXT,
  start_time TEXT,
  end_time TEXT,
  total_runtime_sec REAL,
  avg_time_per_narrative_sec REAL,
  api_url TEXT,
  r_version TEXT,
  os_info TEXT,
  hostname TEXT,
  n_positive_detected INTEGER,
  n_negative_detected INTEGER,
  n_positive_manual INTEGER,
  n_negative_manual INTEGER,
  accuracy REAL,
  precision_ipv REAL,
  recall_ipv REAL,
  f1_ipv REAL,
  n_false_positive INTEGER,
  n_false_negative INTEGER,
  n_true_positive INTEGER,
  n_true_negative INTEGER,
  pct_overlap_with_manual REAL,
  csv_file TEXT,
  json_file TEXT,
  log_dir TEXT,
  created_at TEXT,
  notes TEXT,
  slug TEXT,
  software_version TEXT
)"""

# The R system has the narrative's key first.
_KEY = ("incident_id", "narrative_type")
_RESULT_COLUMNS = ",\n".join(
    f"  {column.name} {column.sql}" for column in sorted(RECORD_COLUMNS, key=lambda column: column.name not in _KEY)
)
NARRATIVE_RESULTS = f"""
CREATE TABLE IF NOT EXISTS narrative_results (
  result_id INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment_id TEXT NOT NULL,
{_RESULT_COLUMNS}
)"""

SOURCE_NARRATIVES = """
CREATE TABLE IF NOT EXISTS source_narratives (
  narrative_id INTEGER PRIMARY KEY AUTOINCREMENT,
  incident_id TEXT NOT NULL,
  narrative_type TEXT NOT NULL,
  narrative_text TEXT,
  manual_flag_ind INTEGER,
  manual_flag INTEGER,
  data_source TEXT,
  data_checksum TEXT,
  loaded_at TEXT,
  UNIQUE (data_source, data_checksum, incident_id, narrative_type)
)"""

UNIQUE_RESULT = """
CREATE UNIQUE INDEX IF NOT EXISTS uq_result_per_exp_narrative
ON narrative_results (experiment_id, incident_id, narrative_type)"""

# Of our own: what errors have in common, a row a pattern.
ERROR_PATTERNS = """
CREATE TABLE IF NOT EXISTS error_patterns (
  experiment_id TEXT NOT NULL,
  dimension TEXT NOT NULL,
  value TEXT NOT NULL,
  n_errors INTEGER NOT NULL,
  n_errors_of INTEGER NOT NULL,
  n_narratives INTEGER NOT NULL,
  error_category TEXT,
  error_message TEXT,
  message TEXT NOT NULL,
  noticed_at TEXT NOT NULL,
  PRIMARY KEY (experiment_id, dimension, value)
)"""

# Of our own, for codebooks with variables that the R system has no column for: a row a variable of a narrative.
CODED_VALUES = """
CREATE TABLE IF NOT EXISTS coded_values (
  experiment_id TEXT NOT NULL,
  incident_id TEXT NOT NULL,
  narrative_type TEXT NOT NULL,
  variable TEXT NOT NULL,
  value TEXT,
  label TEXT,
  probability REAL,
  error_message TEXT,
  confidence REAL,
  not_in_text TEXT,
  position INTEGER,
  PRIMARY KEY (experiment_id, incident_id, narrative_type, variable)
) WITHOUT ROWID"""

# Of our own, where people reviewed narratives: a row for the latest verdict of each coder. With WITHOUT ROWID, the
# integrity check of SQLite 3.40 tells of NULL values that are not there.
REVIEWS = """
CREATE TABLE IF NOT EXISTS reviews (
  experiment_id TEXT NOT NULL,
  incident_id TEXT NOT NULL,
  narrative_type TEXT NOT NULL,
  variable TEXT NOT NULL,
  coder TEXT NOT NULL,
  verdict TEXT NOT NULL,
  notes TEXT,
  stratum TEXT NOT NULL,
  sampling_weight REAL,
  reviewed_at TEXT NOT NULL,
  purpose TEXT NOT NULL,
  PRIMARY KEY (experiment_id, incident_id, narrative_type, variable, coder, purpose)
)"""

# Those of the R system, in the order in which they are made.
TABLES = {"experiments": EXPERIMENTS, "narrative_results": NARRATIVE_RESULTS, "source_narratives": SOURCE_NARRATIVES}


def create(connection: sqlite3.Connection) -> None:
    """Create what is missing of the tables; an existing table is left as it is."""
    for statement in (*TABLES.values(), UNIQUE_RESULT, ERROR_PATTERNS):
        connection.execute(statement)
