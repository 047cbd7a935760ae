"""The report: what a co-author opens, from the tables and metrics of a finished experiment.

captions       the figures by name, with their titles and captions
canvas         what all figures share: colours, sizes, and how they become files
figures        the figures that metrics.json gives
distributions  the figures that the rows give
contents       what the page tells in tables
page           the page itself, from its template
"""
