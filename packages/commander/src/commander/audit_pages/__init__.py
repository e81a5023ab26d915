"""The audit log for people and their scripts: page, file and API."""
