"""Removing an experiment, wherever it is.

plan          what there is of it, read without changing anything, and kept until all of it is removed
copies        the copies that DVC keeps, and what git and DVC's remotes still hold
development   the same for what was tried before an experiment
forget        `narrative-runs forget`: shows it, asks, and removes it step by step
"""
