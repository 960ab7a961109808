"""`ros2 launch` and `ros2 run` where ROS comes from wheels, which carry no ros2cli."""
