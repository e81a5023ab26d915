"""Updates of this sentry: the commander's store has the wheels, a launcher starts the new version or goes back."""
