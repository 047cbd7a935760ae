"""Asking the model: the request, its fingerprint, the client, and the reading of what comes back."""
