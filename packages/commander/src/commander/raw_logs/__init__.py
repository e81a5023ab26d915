"""Logs as they came."""
