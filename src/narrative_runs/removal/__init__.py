"""Removing an experiment, wherever it is.

plan          what there is of it, found out without changing anything, and kept until all of it has gone
copies        the copies that DVC keeps, and what git and DVC's remotes still hold
development   the same of what was tried before an experiment
forget        `narrative-runs forget`: shows it, asks, and removes it, step by step
"""
