"""Synthetic tracks: a parametric hand that reaches for, grasps, moves and places many objects."""
