"""Who may see and do what: the password, sessions, API keys."""
