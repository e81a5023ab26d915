"""Selections: one line of text that says which rigs are meant."""
