"""Tasks of the twin: start states, success and reward as pure batched functions of simulator state."""
