"""Machines: on which computer a rig's sentry runs, and whether another computer has a copy of its data folder."""
