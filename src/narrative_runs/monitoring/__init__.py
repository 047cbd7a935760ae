"""Looking at experiments from another terminal: what the record, the locks and a running session tell of them."""
