"""Kinds of channels, a file each."""
