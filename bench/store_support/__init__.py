"""Stores that benchmarks make for themselves."""
