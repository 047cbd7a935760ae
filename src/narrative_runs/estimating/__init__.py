"""`narrative-runs estimate`: how common a finding is, corrected by people's reviews of a sample.

sampling    which truths count, and how they were chosen; refuses estimates without a ground
units       all incidents, or all narratives, as the statistics take them
measured    prevalences, means, differences and ratios of one variable
reading     who read what of a sample
masked      small counts
methods     the paragraph for a methods section, and what it cites
content     estimates.json
files       estimates.json and estimates.csv
reported    the report with the estimates
printed     the terminal
planned     `--plan`
proof       estimates derived again, and compared
command     the command itself

The statistics are those of `narrative_runs.estimates`, the truths those of `narrative_runs.reviews`.
"""
