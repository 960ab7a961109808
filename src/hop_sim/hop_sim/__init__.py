"""Digital twin, tasks, experts, evaluation and simulated data of HOP."""
