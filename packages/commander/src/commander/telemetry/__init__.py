"""The way of a log: from the door into the database."""
