"""ZED-2, xArm7 and Allegro hand adapters, real-time loops, safety supervisor and their ROS nodes."""
