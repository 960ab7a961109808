"""ROS nodes of the policy and of the recorder."""
