"""How well the model codes each variable of a codebook: its answers against human labels, by the variable's type."""
