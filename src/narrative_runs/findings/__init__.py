"""Findings: tables and metrics made from the answers of an experiment.

confusion      the confusion matrix and the metrics that are read from it
intervals      95% intervals: Wilson for proportions, a bootstrap over incidents for the rest
incidents      from narratives to incidents: label, detection, agreement of the two narratives, completeness
calibration    whether the stated probabilities can be believed, and which threshold gives which recall
performance    detections against labels, over some narratives or incidents
groups         the groups of the narratives, from columns of the workbook
by_group       the findings of each group, and whether errors hit one more than others
few_labels     which groups have too few labels for rates that say much
by_variable    the same for each variable of a codebook
mcnemar        whether the difference of two experiments may be chance
sign_flips     the same test where a gain is no whole number
significance   Holm's adjustment of p values, where there are several tests
rounding       numbers as they are shown
metrics        all of these as the JSON of metrics.json
suppression    what of them may be published, without small counts
columns        the columns of the result tables, their order and types
tables         the result table and its files: parquet, csv, json
excel          the result table as an Excel workbook
disagreements  the workbook's sheets of answers that disagree with their labels, one for each variable
sheets         Excel workbooks of any sheets
text_cells     text that a spreadsheet cannot take for a formula
"""
