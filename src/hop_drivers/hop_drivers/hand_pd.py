"""Host-side PD torque control of the Allegro hand, pure and batched.

Driver, twin and lock-step mode share it.
"""

from __future__ import annotations

from math import pi

import numpy as np

from hop_core.embodiment import HandActuation
from hop_drivers.allegro_can import JOINTS


class HandPd:
    """PD control in command units with filtered state and a gain ramp after every enable.

    Position and velocity pass first-order low-pass filters; the velocity is the filtered position's
    difference. The output is clipped to each joint's cap. Gains rise linearly from 0 to full over
    `ramp_s`, so that a hand that is enabled away from its target closes the distance softly.

    Source: Wonik allegro_hand_ros2 (gains, caps, 30 Hz filters); the ramp is ours.

    Attributes:
        position: (..., 16) filtered joint angles [rad].
        velocity: (..., 16) filtered joint velocities [rad/s].
        saturated: joint outputs clipped to their cap since construction.
    """

    def __init__(
        self, actuation: HandActuation, batch: tuple[int, ...] = (), torque_scale: float = 1.0
    ) -> None:
        """Take gains and caps from the embodiment.

        Args:
            actuation: gains, caps, filter and ramp.
            batch: leading shape for many hands at once.
            torque_scale: factor 0..1 on the caps.
        """
        self._kp = np.array(actuation.kp)
        self._kd = np.array(actuation.kd)
        self._cap = np.array(actuation.cap) * torque_scale
        self._tau_s = 1.0 / (2.0 * pi * actuation.filter_hz)
        self._ramp_s = actuation.ramp_s
        self._counts_per_unit = actuation.counts_per_unit
        shape = (*batch, JOINTS)
        self.position = np.zeros(shape)
        self.velocity = np.zeros(shape)
        self._previous = np.zeros(shape)
        self._scratch = np.zeros(shape)
        self._gain = np.zeros((*batch, 1))
        self.saturated = 0

    def reset(self, q: np.ndarray, where: np.ndarray | None = None) -> None:
        """Start at rest at the measured angles, gains at zero.

        Args:
            q: (..., 16) measured joint angles [rad].
            where: (...,) bool mask of the hands to reset; None resets all.
        """
        chosen = np.ones(self._gain.shape, dtype=bool) if where is None else where[..., None]
        np.copyto(self.position, q, where=chosen)
        np.copyto(self.velocity, 0.0, where=chosen)
        self.disable(where)

    def disable(self, where: np.ndarray | None = None) -> None:
        """Set the gains to zero; they ramp up again from the next `step` on.

        The filters keep running.
        """
        np.copyto(self._gain, 0.0, where=True if where is None else where[..., None])

    def observe(self, q: np.ndarray, dt_s: float) -> None:
        """Take measured angles (..., 16) [rad], `dt_s` after the last ones, into the filters."""
        alpha = dt_s / (dt_s + self._tau_s)
        np.copyto(self._previous, self.position)
        np.subtract(q, self.position, out=self._scratch)
        self._scratch *= alpha
        self.position += self._scratch
        np.subtract(self.position, self._previous, out=self._scratch)
        self._scratch /= dt_s
        self._scratch -= self.velocity
        self._scratch *= alpha
        self.velocity += self._scratch

    def step(self, q_target: np.ndarray, dt_s: float) -> np.ndarray:
        """Return torques (..., 16) [command units, -1..1] toward `q_target` (..., 16) [rad].

        Call `observe` before.
        """
        self._gain += dt_s / self._ramp_s if self._ramp_s > 0.0 else 1.0
        np.minimum(self._gain, 1.0, out=self._gain)
        np.subtract(q_target, self.position, out=self._scratch)
        torque = self._kp * self._scratch
        np.multiply(self._kd, self.velocity, out=self._scratch)
        torque -= self._scratch
        torque *= self._gain
        np.abs(torque, out=self._scratch)
        self.saturated += int(np.count_nonzero(self._scratch > self._cap))
        np.minimum(torque, self._cap, out=torque)
        np.maximum(torque, -self._cap, out=torque)
        return torque

    def counts(self, torque: np.ndarray) -> np.ndarray:
        """Return PWM counts (..., 16) int16 of torques in command units."""
        return np.rint(torque * self._counts_per_unit).astype(np.int16)
