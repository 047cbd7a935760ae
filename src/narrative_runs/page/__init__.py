"""The local page: runs as they stand, findings, experiments side by side, narratives, and acts on all of these."""
