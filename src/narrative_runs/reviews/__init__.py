"""Reviews: samples of incidents dealt to coders, and the verdicts that they return.

population     all incidents of the workbook, with their answers, labels and strata
drawing        which incidents are drawn, and who reads which
sheet          the sheet that a coder gets
dealing        `export --review N`
filled_sheet   the rows of a sheet that was filled in
typed          the text typed into a cell, as a value
bringing_in    `review import`
truth          the truth where several coders reviewed, and where the workbook has a label
reviewed       for estimates: truth, stratum and answer of each incident and each narrative
agreement      how far coders agree
stand_in       may the model stand in for a coder? (the alternative annotator test)
adjudication   `review disagreements`
showing        `review show`

Verdicts are kept by `narrative_runs.review_file`.
"""
