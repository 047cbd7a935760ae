"""The local page: the state of runs, findings, experiments side by side, narratives, and acts on all of these."""
