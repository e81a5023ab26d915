"""The agent on a CPU/GPU rig: measures it and reports to the commander."""
