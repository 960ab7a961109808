"""Checkpoints of the HOP release: read without trusting them, turned into ours, and back."""
