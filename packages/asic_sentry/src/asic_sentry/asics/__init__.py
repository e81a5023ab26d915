"""The ASICs that this sentry looks after."""
