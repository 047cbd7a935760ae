"""Findings derived again from the same answers: to prove them, or to see what this release reads differently.

aside      all findings of an experiment, derived into another folder
changes    rows and figures that differ between two derivations; pure
check      what this release would change of a completed experiment; changes.csv
at_snapshot the findings of a snapshot, derived on request
difference what differs, in figures and words
earlier    findings as they were, kept beside new ones
look       whether this release derives the same, checked once and kept
evidence   whether findings were altered since they were derived
proof      `narrative-runs prove`
rederive   `narrative-runs rederive`
"""
