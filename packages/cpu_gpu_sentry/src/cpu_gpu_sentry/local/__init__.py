"""The local page of the CPU/GPU sentry."""
