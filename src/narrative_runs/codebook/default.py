"""The codebook of an experiment that brings none of its own."""

from narrative_runs.codebook.variables import DETECTED, INDICATORS, RATIONALE, Binary, Codebook, Text

DEFAULT = Codebook(
    variables={
        DETECTED: Binary(label="manual_flag_ind", confidence=True, unclear="error"),
        INDICATORS: Text(many=True, unclear="error"),
        RATIONALE: Text(unclear="error"),
    }
)
