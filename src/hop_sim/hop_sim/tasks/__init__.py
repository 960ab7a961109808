"""Tasks of the twin: starts, success and Lift's reward, pure functions of batched states."""
