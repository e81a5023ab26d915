"""The watchdog's ladder: what a rig does by itself about slow, lost and hot devices, without a commander."""
