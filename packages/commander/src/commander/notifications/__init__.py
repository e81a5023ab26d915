"""Messages to people: channels, the outbox, and how a message is sent."""
