"""Moving in: older records brought up to date, and experiments that the R system began, continued here.

inspection   looks at an older record without leaving a trace
steps        what such a record lacks, as small named steps; pure
migrate      takes these steps, after a backup, in one transaction
r_rows       rows of the R system's tables as fields of ours; pure
r_params     an experiment's row as params; pure
matching     which rows of the R system answer which narratives of the workbook; pure
adoption     what comes over of an experiment; pure
adopt        brings one experiment into results/, whole or not at all
r_metrics    the R system's measures beside ours; pure
messages     what the user reads about it; pure
"""
