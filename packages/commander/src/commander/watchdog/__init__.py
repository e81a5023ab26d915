"""The watchdog's ladder of CPU/GPU rigs: its limits by selection, and what it did by itself."""
