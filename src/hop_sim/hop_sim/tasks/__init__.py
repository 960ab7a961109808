"""Tasks of the twin: starts, success and reward as pure batched functions of simulator state."""
