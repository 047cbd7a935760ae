"""narrative-runs: from a workbook of narratives to metrics that can be published.

source        reads the workbook, once, into fixed shards
classify      asks the model for every narrative of a shard that has no answer yet
retry_errors  asks again for error rows, when it is forced
record        merges all shards into the record, and measures them
report        draws the figures, and writes the report
"""

from narrative_runs import workflow as narrative_workflow

planned = narrative_workflow.plan(
    workflow.config_settings.config,
    workflow.config_settings.configfiles,
    workflow.is_main_process,
)
run = narrative_workflow.Run(planned)


# On a cluster only the shards are asked on the nodes.
localrules:
    all,
    source,
    retry_errors,
    record,
    report,


rule all:
    input:
        planned.wanted,


include: "workflow/rules/source.smk"
include: "workflow/rules/classify.smk"
include: "workflow/rules/retry_errors.smk"
include: "workflow/rules/record.smk"
include: "workflow/rules/report.smk"


if planned.record_is_behind:

    # The findings are there, but the record was lost, or does not call them completed: it is filled again.
    localrules:
        restore_record,

    rule restore_record:
        default_target: True
        input:
            planned.outputs,
        shell:
            "exec python -m narrative_runs restore_record"


onstart:
    run.begin(workflow.dag.needrun_jobs(), workflow.non_local_exec)


onsuccess:
    run.end("success")


onerror:
    run.end("failure")
