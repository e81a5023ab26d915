"""Intake of logs, from the request to the committed row, for both kinds of rigs."""
