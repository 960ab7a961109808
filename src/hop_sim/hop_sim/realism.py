"""How far the twin's camera is from the calibrated one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Realism:
    """How wrong the camera is, as multiples of the cell's own figures.

    Attributes:
        jitter: on the half-widths of the camera pose's uniform jitter, drawn once an episode.
        noise: on the stereo noise.
        shift_m: added to the camera's position, in base_link.
    """

    jitter: float = 1.0
    noise: float = 1.0
    shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
