"""The peer of `bench/train.py`: pretraining in the way of the HOP release."""
