"""The report: what a co-author opens, from the tables and metrics of a finished experiment.

captions       the figures by name, with their titles and captions
canvas         what all figures share: colours, sizes, and how they become files
figures        the figures of counts and rates, from metrics.json
probabilities  the figures of confidence and token probabilities, from metrics.json
distributions  the figures made from the rows
contents       the tables of the page
estimates      the part of estimates.json that the report shows
estimates_figure  their figure
cited          what classified the narratives, to be cited
header         the experiment itself, from params and journals
unseen         the measures without the narratives that were seen while the prompt was chosen
workbook_facts  what a reader should know about the workbook, in sentences
template_engine  what all pages are made with
page           the page itself, from its template
"""
