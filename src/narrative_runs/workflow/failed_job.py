"""What Snakemake's log says of a failed job. Snakemake shows nothing of a job on another host, and what the job said is
elsewhere, so a message is made from the log."""

import logging
import re

# With these words the executors end whatever they say.
_EXECUTORS_END = re.compile(r"For further error details see the cluster/cloud log.*", re.DOTALL)
_SHARD = re.compile(r"\d+-of-\d+")
_SCHEDULERS_OWN = "Its messages are where the scheduler keeps the output of its jobs"


def name_of_failed_job(entry: logging.LogRecord) -> str:
    """The name of a job that failed, such as `03-of-16` of a shard's, from an entry of Snakemake's log; empty for any
    other entry."""
    if not hasattr(entry, "rule_name") or not hasattr(entry, "rule_msg"):
        return ""
    shard = _SHARD.search(" ".join(map(str, getattr(entry, "output", ()))))
    return shard.group() if shard and entry.rule_name == "classify" else str(entry.rule_name)


def message_of_failed_job(entry: logging.LogRecord) -> str:
    """A line about a shard's job that failed, from an entry of Snakemake's log; empty for any other entry.

    It names the shard, the scheduler's number of the job, and why, or where to read why.
    """
    if getattr(entry, "rule_name", None) != "classify" or not hasattr(entry, "rule_msg"):
        return ""
    number = (getattr(entry, "aux", None) or {}).get("external_jobid")
    reason = _EXECUTORS_END.sub("", str(entry.rule_msg or "")).strip()
    why = [reason] if reason else []
    if logs := ", ".join(map(str, getattr(entry, "log", ()))):
        why.append(f"See {logs}")
    who = f"[JOB] {name_of_failed_job(entry)}" + (f", job {number} of the scheduler," if number else "")
    return f"{who} failed. {'. '.join(part.rstrip('.') for part in why or [_SCHEDULERS_OWN])}."
