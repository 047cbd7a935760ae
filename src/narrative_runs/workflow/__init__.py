"""What the Snakefile calls: the plan, which only reads, and the beginning and end of a run."""

from narrative_runs.workflow.inspection import plan
from narrative_runs.workflow.plan import Plan
from narrative_runs.workflow.run import Run

__all__ = ["Plan", "Run", "plan"]
