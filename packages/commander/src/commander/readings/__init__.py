"""Pure functions from messages to metrics."""
