"""Messages between the commander and its sentries, tokens and units."""
