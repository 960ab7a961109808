"""How far the twin's camera is from the calibrated one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from hop_core.errors import ConfigError


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

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # within a `Config`

    def __post_init__(self) -> None:
        """Pass if all of it can be.

        Raises:
            ConfigError: a multiple is negative, or a figure not finite.
        """
        for name, multiple in (("jitter", self.jitter), ("noise", self.noise)):
            if not 0.0 <= multiple < math.inf:
                raise ConfigError(f"realism: {name} must be a number from 0 on, got {multiple}")
        if not all(map(math.isfinite, self.shift_m)):
            shift = " ".join(f"{v:g}" for v in self.shift_m)
            raise ConfigError(f"realism: shift_m must be three finite numbers, got {shift}")
