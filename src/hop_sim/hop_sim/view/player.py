"""Where in a drawing the page is: playing, paused or scrubbed. Its clock is an argument."""

from __future__ import annotations


class Player:
    """A position among T frames that moves with time while it plays; at the end it begins anew.

    Times `now_s` are of any clock that never goes back [s].
    """

    def __init__(self, frames: int, rate_hz: float, frame: int = 0) -> None:
        """Be paused at `frame` of `frames`, which follow each other at `rate_hz`."""
        self._frames = frames
        self._rate_hz = rate_hz
        self._speed = 1.0
        self._playing = False
        self._at = float(frame)
        self._since_s = 0.0

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._playing

    @property
    def period_s(self) -> float:
        """Time from frame to frame at the present speed [s]."""
        return 1.0 / (self._rate_hz * self._speed)

    def frame(self, now_s: float) -> int:
        """Return the frame that is shown now."""
        return int(self._position(now_s))

    def play(self, playing: bool, now_s: float) -> None:
        """Play or pause."""
        self._hold(now_s)
        self._playing = playing

    def seek(self, frame: int, now_s: float) -> None:
        """Go to a frame, and play on from there if it plays."""
        self._at, self._since_s = float(frame), now_s

    def set_speed(self, speed: float, now_s: float) -> None:
        """Play at `speed` times the natural speed."""
        self._hold(now_s)
        self._speed = speed

    def _hold(self, now_s: float) -> None:
        self._at, self._since_s = self._position(now_s), now_s

    def _position(self, now_s: float) -> float:
        if not self._playing:
            return self._at
        passed = (now_s - self._since_s) / self.period_s
        return (self._at + passed) % self._frames
