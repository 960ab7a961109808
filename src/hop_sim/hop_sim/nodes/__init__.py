"""The twin's side of the ROS graph; only this folder of hop_sim imports rclpy."""
