"""Mining software, read through its own statistics API: one file per software, listed in `registry`."""
