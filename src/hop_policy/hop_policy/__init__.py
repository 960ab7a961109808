"""Observation, transformer policy, learning, demonstration bags, policy and recorder nodes."""
