"""What a farm did, for years: figures per minute, ten minutes and hour, rolled up from logs."""
