"""Logs as the sentries sent them."""
