"""Access to the commander: the password, sessions, API keys."""
