# The workbook, read once.
#
# needs: data/<file>.dvc (the workbook itself is fetched when it is missing)
# gives: results/<slug>/narratives/<k>-of-<n>.parquet and incidents.parquet, other_columns.parquet,
#        data_quality.json


rule source:
    input:
        planned.tracking_files,
    output:
        narratives=expand(
            f"{planned.folder.narratives}/{{shard}}.parquet", shard=planned.shards
        ),
        incidents=planned.folder.incidents,
        others=planned.folder.other_columns,
        quality=planned.folder.data_quality,
    params:
        code=planned.code,
        source_md5=planned.source_md5,
        reading=planned.reading,
    shell:
        "exec python -m narrative_runs source"
