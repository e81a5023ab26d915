"""Several web nodes and queue workers for one farm; one machine alone loads nothing of it."""
