# The model's answers, one job a shard.
#
# needs: results/<slug>/narratives/<k>-of-<n>.parquet
# gives: results/<slug>/shards/<k>-of-<n>.parquet
# keeps: results/<slug>/journal/, which is no output: Snakemake deletes outputs before it repeats a job


rule classify:
    input:
        f"{planned.folder.narratives}/{{shard}}.parquet",
    output:
        f"{planned.folder.shards}/{{shard}}.parquet",
    params:
        code=planned.code,
        asked=planned.asked,
        max_narratives=planned.params.run.max_narratives,
    shell:
        "exec python -m narrative_runs classify {wildcards.shard}"
