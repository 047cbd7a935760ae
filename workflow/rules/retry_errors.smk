# Error rows, asked again: only when forced, with `snakemake --forcerun retry_errors`.
#
# needs: all shards
# gives: results/<slug>/retries.parquet


rule retry_errors:
    input:
        expand(rules.classify.output, shard=planned.shards),
    output:
        planned.folder.retries,
    params:
        code=planned.code,
    shell:
        "exec python -m narrative_runs retry_errors"
