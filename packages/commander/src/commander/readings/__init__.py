"""What a log means: pure functions from messages to figures."""
