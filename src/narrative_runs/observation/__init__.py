"""A run while it continues: counts and pace, the record as it fills, the logs and the terminal."""
