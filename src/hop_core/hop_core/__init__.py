"""Embodiment, kinematics, motion limits, time alignment, configuration and command line of HOP."""
