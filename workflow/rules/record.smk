# The record and the findings.
#
# needs: all shards, retries.parquet, data_quality.json, incidents and other columns of the workbook
# gives: results/<slug>/results.*, metrics.json
# keeps: results/experiments.db, which is no output: all experiments share it


rule record:
    input:
        shards=expand(rules.classify.output, shard=planned.shards),
        retries=rules.retry_errors.output,
        incidents=rules.source.output.incidents,
        others=rules.source.output.others,
        quality=rules.source.output.quality,
    output:
        planned.tables,
        planned.folder.metrics,
    params:
        code=planned.code,
        groups=planned.params.report.groups,
    shell:
        "exec python -m narrative_runs record"
