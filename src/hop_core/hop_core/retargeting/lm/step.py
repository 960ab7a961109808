"""The damped Newton step over the joints that are free to move.

The Hessian has the shape of an arrow, four fingers that do not know of each other and the arm that
carries them all: it is eliminated finger by finger, and what is left is 7 by 7.
"""

from __future__ import annotations

import numpy as np

from hop_core.retargeting.chain import ARM_LENGTH, FINGER_LENGTH
from hop_core.retargeting.lm.jit import inlined
from hop_core.retargeting.lm.layout import HANDFUL, RHS, ROW, Robot, Scratch


@inlined
def pressed(robot: Robot, q: np.ndarray, j: int, slope: float) -> bool:
    """Return whether joint j is at a bound against which the cost presses it."""
    return (q[j] <= robot.lower[j] and slope > 0.0) or (q[j] >= robot.upper[j] and slope < 0.0)


@inlined
def hold_at_bounds(robot: Robot, q: np.ndarray, room: Scratch) -> None:
    """Take the joints that are pressed against their bounds out of the linear system."""
    for j in range(ARM_LENGTH):
        if pressed(robot, q, j, room.arm[RHS, j]):
            room.arm[j, :] = 0.0
            room.arm[:, j] = 0.0
            room.coupling[:, :, j] = 0.0
            room.arm[j, j] = 1.0
    for f in range(HANDFUL):
        for i in range(FINGER_LENGTH):
            if pressed(robot, q, ARM_LENGTH + f * FINGER_LENGTH + i, room.coupling[f, i, RHS]):
                room.coupling[f, i, :] = 0.0
                room.finger[f, i, :] = 0.0
                room.finger[f, :, i] = 0.0
                room.finger[f, i, i] = 1.0


@inlined
def eliminate_finger(room: Scratch, f: int, damping: float) -> bool:
    """Factorise finger f's block and carry its coupling through; False if not positive."""
    factor = room.factor
    for i in range(FINGER_LENGTH):
        for j in range(i):
            v = room.finger[f, i, j]
            for k in range(j):
                v -= factor[f, i, k] * factor[f, k, j]
            factor[f, j, i] = v
            factor[f, i, j] = v * factor[f, j, j]
        pivot = room.finger[f, i, i] + damping
        for k in range(i):
            pivot -= factor[f, i, k] * factor[f, k, i]
        if not pivot > 0.0:
            return False
        factor[f, i, i] = 1.0 / pivot
    for n in range(ROW):
        for i in range(FINGER_LENGTH):
            v = room.coupling[f, i, n]
            for k in range(i):
                v -= factor[f, i, k] * room.ahead[n, f, k]
            room.ahead[n, f, i] = v
            room.scaled[n, f, i] = v * factor[f, i, i]
    return True


@inlined
def eliminate_arm(room: Scratch, damping: float) -> bool:
    """Take the fingers' shares off the arm's block and eliminate it; False if not positive."""
    left = room.arm_left
    for m in range(ROW):
        for n in range(min(m + 1, ARM_LENGTH)):
            v = room.arm[m, n]
            for f in range(HANDFUL):
                for i in range(FINGER_LENGTH):
                    v -= room.scaled[m, f, i] * room.ahead[n, f, i]
            left[m, n] = v
    for i in range(ARM_LENGTH):
        pivot = left[i, i] + damping
        if not pivot > 0.0:
            return False
        left[i, i] = 1.0 / pivot
        for m in range(i + 1, ROW):
            share = left[m, i] * left[i, i]
            for n in range(i + 1, min(m + 1, ARM_LENGTH)):
                left[m, n] -= share * left[n, i]
    return True


@inlined
def newton_step(room: Scratch, damping: float) -> bool:
    """Put -(H + damping)^-1 g over the free joints into `room.step`; False if not positive."""
    left, step = room.arm_left, room.step
    for f in range(HANDFUL):
        if not eliminate_finger(room, f, damping):
            return False
    if not eliminate_arm(room, damping):
        return False
    for i in range(ARM_LENGTH - 1, -1, -1):
        v = -left[RHS, i]
        for n in range(i + 1, ARM_LENGTH):
            v -= left[n, i] * step[n]
        step[i] = v * left[i, i]
    for f in range(HANDFUL):
        base = ARM_LENGTH + f * FINGER_LENGTH
        for i in range(FINGER_LENGTH - 1, -1, -1):
            v = -room.scaled[RHS, f, i]
            for n in range(ARM_LENGTH):
                v -= room.scaled[n, f, i] * step[n]
            for n in range(i + 1, FINGER_LENGTH):
                v -= room.factor[f, n, i] * step[base + n]
            step[base + i] = v
    return True
