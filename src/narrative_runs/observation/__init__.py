"""What is known of a run while it goes on: counts and pace, the record as it fills, the logs and the terminal."""
