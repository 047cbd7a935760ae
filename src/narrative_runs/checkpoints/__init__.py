"""Named states of an experiment, and the way back to one.

by_hand    `narrative-runs snapshot`: keeping, listing and deleting snapshots
rollback   `narrative-runs rollback`: another state's answers count from now on
held       the lock on an experiment while its state is kept or changed
derived    record, tables and findings, taken back to an earlier state
"""
