"""Depth images of a store's trajectories, kept beside its columns."""
