"""Wheels of the sentries and of everything that they need, and the scripts that install them on a rig."""
