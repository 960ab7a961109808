"""The ground floor of the workspace: embodiment, kinematics, motion limits, time alignment, configuration and errors."""
