"""Incidents: one message for one cause. Conditions of rigs, grouped."""
