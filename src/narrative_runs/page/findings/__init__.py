"""Findings: the results of an experiment, section by section."""
