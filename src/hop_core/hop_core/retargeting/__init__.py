"""Eq. 1: human hand keypoints to the robot's joints, by two solvers of one specification."""
