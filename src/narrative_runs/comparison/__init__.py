"""Comparison: how two or more finished experiments differ. The first one named is what the others are compared with.

params_apart      the params that differ, and where two prompts do
metrics_beside    the metrics of all, side by side
pairs             the same narratives in two experiments: what changed
codebooks         the variables that two codebooks share
coded_experiment  the values and labels of an experiment's variables
scores            how good an answer is by its label
variable_pairs    the same variable in two experiments: what changed, and who is closer to the labels
variables_beside  the measures of variables, side by side
by_variable       all that is compared by variable
titles            what its numbers are called
compared          all of these, read and computed
printed           all of these on the terminal
files             all of these as CSV files
compare           the command
"""
