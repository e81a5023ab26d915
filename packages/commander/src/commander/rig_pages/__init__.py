"""The pages about rigs of both kinds."""
