"""The ROS edge that every HOP node shares."""
