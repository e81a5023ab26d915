"""The live state for open pages and scripts: channels, the operational index, frames."""
