"""A farm's history over years: figures per minute, ten minutes and hour, rolled up from logs."""
