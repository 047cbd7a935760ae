"""What the environment of the workflow's jobs holds; a module of its own, as a job that is handed over imports nothing
else."""

# Where their coordinator listens.
ADDRESS_VARIABLE = "NARRATIVE_RUNS_COORDINATOR"
# Where the process listens that forks them.
JOBS_VARIABLE = "NARRATIVE_RUNS_JOBS"
