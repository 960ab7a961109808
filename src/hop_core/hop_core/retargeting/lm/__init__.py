"""The compiled projected Levenberg-Marquardt search on Eq. 1. Importing it imports numba."""
