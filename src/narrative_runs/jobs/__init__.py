"""The jobs of the workflow, one module a rule: each reads its inputs, does its part, and writes its outputs whole."""
