"""The page of alerts and its section of channels, and the channels' API."""
