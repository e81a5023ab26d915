"""Several web nodes and queue workers for one farm. A single machine loads nothing of it."""
