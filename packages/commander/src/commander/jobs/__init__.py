"""What the commander does by itself, at due times that a restart does not forget."""
