"""Codes of the 16UC1 depth topic [mm] for what was not measured; all else is a distance."""

UNKNOWN_MM = 0
TOO_CLOSE_MM = 1
TOO_FAR_MM = 65535
