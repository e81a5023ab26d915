"""The agent in the ASICs' network: reads them, never changes them, and reports to the commander."""
