"""Pretraining: a trajectory store as the data set of the one trainer."""
