"""What is told of jobs that fail on other hosts."""

import logging
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from narrative_runs.workflow.failed_job import message_of_failed_job, name_of_failed_job


def record(**said: Any) -> logging.LogRecord:
    """An entry of Snakemake's log, as `Job.log_error` makes it."""
    return logging.makeLogRecord({"levelno": logging.ERROR, "event": LogEvent.JOB_ERROR, **said})


FAILED: dict[str, Any] = {"rule_name": "classify", "output": ["results/cases/shards/02-of-16.parquet"], "log": []}
END = "For further error details see the cluster/cloud log and the log files of the involved rule(s)."


def test_a_job_that_ended_on_its_node() -> None:
    """It is named by its shard and by the scheduler's number, and the scheduler's output is pointed to."""
    assert message_of_failed_job(record(**FAILED, rule_msg=END, aux={"external_jobid": "4711"})) == (
        "[JOB] 02-of-16, job 4711 of the scheduler, failed. "
        "Its messages are where the scheduler keeps the output of its jobs."
    )


def test_a_job_that_the_scheduler_refused() -> None:
    """What the scheduler said is told, without the words that stand under everything."""
    refused = "Error submitting jobscript (exit code 1):\nsbatch: error: Invalid account\n"
    assert message_of_failed_job(record(**FAILED, rule_msg=refused + END, aux={})) == (
        "[JOB] 02-of-16 failed. Error submitting jobscript (exit code 1):\nsbatch: error: Invalid account."
    )


def test_a_job_with_a_log_file() -> None:
    """Where the executor knows the job's log, that is named."""
    failed = FAILED | {"log": ["logs/4711.log"]}
    assert message_of_failed_job(record(**failed, rule_msg=END, aux={})) == "[JOB] 02-of-16 failed. See logs/4711.log."


def test_all_else_is_not_told() -> None:
    """Other rules fail where the run is, and say so themselves; and not everything is about a job."""
    assert message_of_failed_job(record(**FAILED | {"rule_name": "record"}, rule_msg=END, aux={})) == ""
    assert message_of_failed_job(record(msg="Exiting because a job execution failed.")) == ""


def test_a_failed_job_has_a_name() -> None:
    """A shard's job goes by its shard, any other by its rule; an entry about something else names none."""
    assert name_of_failed_job(record(**FAILED, rule_msg=None)) == "02-of-16"
    assert (
        name_of_failed_job(record(rule_name="record", rule_msg=None, output=["results/cases/metrics.json"])) == "record"
    )
    assert name_of_failed_job(record(msg="Exiting because a job execution failed.")) == ""
