"""ZED-2, xArm7 and Allegro adapters, real-time loops, safety supervisor and their nodes."""
