"""The time that a keeper has to begin, and what its log says of one that is late. The same on each system."""

START_S = 20.0
TOO_LATE = f"it did not begin within {START_S:g} s".encode()
