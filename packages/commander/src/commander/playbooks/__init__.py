"""Playbooks: how a rig is to mine, and what became of it."""
