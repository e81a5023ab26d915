"""What travels between the commander and its sentries: messages, tokens and units."""
