"""Robot trajectories: one Zarr store of them, how it is written and read, and what is imported."""
