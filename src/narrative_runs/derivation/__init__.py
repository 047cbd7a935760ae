"""Findings derived once more from the same answers: to prove them, or to see what this release reads differently.

aside      all findings of an experiment, derived into another folder
changes    rows and figures that differ between two derivations; pure
check      what this release would change of a completed experiment; changes.csv
difference what differs, as it is kept and told
evidence   whether findings were altered since they were derived
proof      `narrative-runs prove`
rederive   `narrative-runs rederive`
"""
