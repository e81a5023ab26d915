"""Tags: short texts on rigs of both kinds, by which people group them."""
