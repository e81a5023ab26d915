"""What rigs did, for people: charts, log pages, downloads."""
