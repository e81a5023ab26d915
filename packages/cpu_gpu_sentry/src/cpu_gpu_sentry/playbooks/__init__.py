"""Playbooks: what the commander wants this rig to mine, installed, run, watched over and told about."""
