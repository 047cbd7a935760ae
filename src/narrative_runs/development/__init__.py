"""Choosing the prompt and the model on a development sample, before an experiment begins and anything is frozen."""
