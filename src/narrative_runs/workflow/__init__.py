"""What the Snakefile calls: what is planned, reading only, and what begins and ends a run."""

from narrative_runs.workflow.inspection import plan
from narrative_runs.workflow.plan import Plan
from narrative_runs.workflow.run import Run

__all__ = ["Plan", "Run", "plan"]
