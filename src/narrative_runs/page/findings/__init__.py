"""Findings: what an experiment amounts to, section by section."""
