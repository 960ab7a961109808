"""Trajectories of the HOP release: read without trusting them, turned into ours, audited."""
