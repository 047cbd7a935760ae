# The record and the findings.
#
# needs: all shards, retries.parquet, data_quality.json
# gives: results/<slug>/results.*, metrics.json
# keeps: results/experiments.db, which is no output: all experiments share it


rule record:
    input:
        shards=expand(rules.classify.output, shard=planned.shards),
        retries=rules.retry_errors.output,
        quality=rules.source.output.quality,
    output:
        planned.findings,
    shell:
        "exec python -m narrative_runs record"


if planned.record_is_behind:

    # The findings are there, but the record was lost or does not call them completed: it is filled again.
    rule restore_record:
        default_target: True
        input:
            planned.findings,
        shell:
            "exec python -m narrative_runs record"
