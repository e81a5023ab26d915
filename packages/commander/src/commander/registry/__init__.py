"""The rigs of the farm and their tokens."""
