"""History: experiments and their snapshots side by side."""
