"""The embedded model: its file, and the server that answers with it on this computer."""
