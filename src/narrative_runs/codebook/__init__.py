"""The codebook: the variables that are asked for, with their values, labels and conditions, and the reading of them."""
