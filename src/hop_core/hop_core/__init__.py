"""The ground floor: embodiment, kinematics, limits, time alignment, configuration, errors."""
