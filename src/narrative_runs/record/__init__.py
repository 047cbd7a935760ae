"""The record: `results/experiments.db`, an SQLite file that all experiments share."""
