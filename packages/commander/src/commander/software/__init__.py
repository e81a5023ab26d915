"""Mining software: where it comes from, and the script that starts it."""
