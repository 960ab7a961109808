"""Problems and peers of `bench/retarget.py`."""
