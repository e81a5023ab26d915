"""The parts that all pages and answers share: the shell, errors, headers."""
