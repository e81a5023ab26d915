"""Playbooks: installed, run, supervised and reported as the commander wants."""
