"""The commands that a commander gives to this rig: a closed set, each carried out once at most."""
