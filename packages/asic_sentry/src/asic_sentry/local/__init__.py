"""The local page: the sentry's ASICs, and everything that can be done with them."""
