"""Named states of an experiment, and the way back to one.

by_hand    `narrative-runs snapshot`: keeping, listing and deleting snapshots
rollback   `narrative-runs rollback`: another state's answers count from now on
held       an experiment that no run holds, while its state is kept or changed
derived    what follows from the answers, taken back to a state: record, tables and findings
"""
