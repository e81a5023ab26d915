"""ASICs: what their logs say, and how people see them."""
