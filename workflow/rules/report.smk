# The report, and its figures.
#
# needs: all shards, retries.parquet (response times), data_quality.json, results.parquet, metrics.json
# gives: results/<slug>/figures/, metrics_to_publish.json, report.html; Snakemake's own report shows them too


rule report:
    input:
        shards=expand(rules.classify.output, shard=planned.shards),
        retries=rules.retry_errors.output,
        quality=rules.source.output.quality,
        findings=rules.record.output,
    output:
        pictures=[
            report(
                path,
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"figure": planned.captions[name].title},
            )
            for name, path in planned.figures("png").items()
        ],
        prints=list(planned.figures("pdf").values()),
        metrics=report(
            planned.folder.metrics_to_publish,
            caption="../report/metrics.rst",
            category="Findings",
            labels={"file": "The metrics"},
        ),
        page=report(
            planned.folder.report,
            caption="../report/report.rst",
            category="Findings",
            labels={"file": "The whole report"},
        ),
    params:
        code=planned.code,
        show_narratives=planned.params.report.show_narratives,
        suppress_below=planned.params.report.suppress_below,
        captions={name: caption.text for name, caption in planned.captions.items()},
    shell:
        "exec python -m narrative_runs report"
