"""The depth topic's encoding."""

import numpy as np

from hop_drivers.depth import depth_to_mm


def test_metres_become_millimetres_and_codes() -> None:
    depth_m = np.array([[0.5, 1.2346, np.nan], [-np.inf, np.inf, 70.0]], dtype=np.float32)
    assert depth_to_mm(depth_m).tolist() == [[500, 1235, 0], [1, 65535, 65535]]
    assert depth_to_mm(depth_m).dtype == np.uint16


def test_a_measured_depth_is_never_taken_for_unknown() -> None:
    assert depth_to_mm(np.array([[0.0001]], dtype=np.float32)).tolist() == [[1]]
