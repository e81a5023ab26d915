"""What every page and answer shares: the shell, errors, headers."""
