"""ROS nodes of the devices, the supervisor and the launch terminal's keys."""
