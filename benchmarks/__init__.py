"""Speed and memory of whole runs, as tables. No test: what it prints depends on the machine."""
