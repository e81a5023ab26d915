"""Jobs that the commander does by itself, at due times that survive a restart."""
