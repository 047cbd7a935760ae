"""Comparison: how two or more finished experiments differ. The first one named is what the others are compared with.

params_apart    the params that differ, and where two prompts do
metrics_beside  the metrics of all, side by side
pairs           the same narratives in two experiments: what changed
screen          all of these on the terminal
files           all of these as CSV files
compare         the command
"""
