"""How well the model codes each variable of a codebook: its answers against human labels, by the variable's type.

labels        the human labels, read from what the workbook left in the experiment's folder
coding        values as arrays, whatever the type, and how values of narratives become those of incidents
units         of each narrative and each incident the answer and the label that count
outcomes      right or wrong, or why neither
listed        measures of categories and ordinal variables
several       measures of variables with several values
number        measures of numbers
passages      measures of quotes
agreement     formulas of agreement, from tables and sums
resamples     the bootstrap over incidents
calibration   whether the probabilities can be believed
levels        the measures of one variable over narratives and incidents
groups        the same in each group
measure       all of these, as `variables` of metrics.json
main_measure  the one that stands for a variable in an overview
suppression   the part of them that may be published, without small counts
"""
