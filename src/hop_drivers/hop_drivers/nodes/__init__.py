"""ROS nodes of the devices and of the supervisor."""
