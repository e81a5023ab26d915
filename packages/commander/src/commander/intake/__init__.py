"""Both doors for logs, from a request to a committed row."""
