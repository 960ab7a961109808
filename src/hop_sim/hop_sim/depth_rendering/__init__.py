"""Depth images of stored robot trajectories, as the twin's camera would take them."""
