"""The settings page and the login page."""
