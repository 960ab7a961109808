"""Names of the files in a checkpoint directory, for readers that need no network."""

WEIGHTS = "model.safetensors"
"""The weights that are best by validation loss."""
LAST_WEIGHTS = "model_last.safetensors"
CONFIG = "config.yaml"
METRICS = "metrics.json"
PROVENANCE = "provenance.json"
TRAINING_STATE = "training_state.pt"
