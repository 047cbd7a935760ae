"""Looking at experiments from another terminal, by the record, the locks and a running session."""
