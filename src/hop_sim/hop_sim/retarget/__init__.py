"""Retargeting in simulation: hand-object tracks to robot trajectories (paper, section III-B)."""
