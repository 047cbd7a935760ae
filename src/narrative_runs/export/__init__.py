"""Export: the results of a finished experiment without text, for people who may not have all of it.

no_text      the results without any text
masked_rows  the same, where small counts are masked
export       the command

`narrative_runs.reviews` gives out samples for review.
"""
