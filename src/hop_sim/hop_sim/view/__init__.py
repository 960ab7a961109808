"""Tracks and trajectories to look at: what is drawn at each frame, and two renderers of it."""
