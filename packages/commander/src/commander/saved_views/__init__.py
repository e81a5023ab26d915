"""Saved views: a name for a way to look at an index page, shared by everybody."""
