"""Maintenance: a time in which nothing is sent about some rigs."""
