"""Which rigs exist, and by which token each speaks."""
