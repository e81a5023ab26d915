"""What open pages and scripts hear: channels, the operational index, frames."""
