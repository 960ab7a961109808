"""Gradient and Gauss-Newton Hessian of Eq. 1 by composite bodies.

The points are taken as masses w_k and their misses as forces. A row of the Hessian is then the work
along each joint nearer to the base of what turning by the row's joint asks of the masses beyond it.
Source: R. Featherstone, Rigid Body Dynamics Algorithms (2008), chapter 6.
"""

from __future__ import annotations

import numpy as np

from hop_core.retargeting.chain import ARM_LENGTH, FINGER_LENGTH
from hop_core.retargeting.lm.jit import inlined
from hop_core.retargeting.lm.layout import HANDFUL, JOINTS, LOAD, RHS, Robot, Scratch

Wrench = tuple[float, float, float, float, float, float]


@inlined
def read_screws(frames: np.ndarray, screw: np.ndarray) -> None:
    """Fill `screw` from the z axes and origins of the frames."""
    for j in range(JOINTS):
        x, y, z = frames[j + 1, 0, 2], frames[j + 1, 1, 2], frames[j + 1, 2, 2]
        a, b, c = frames[j + 1, 0, 3], frames[j + 1, 1, 3], frames[j + 1, 2, 3]
        screw[j, 0], screw[j, 1], screw[j, 2] = x, y, z
        screw[j, 3], screw[j, 4], screw[j, 5] = b * z - c * y, c * x - a * z, a * y - b * x


@inlined
def hang(load: np.ndarray, f: int, w: float, p: np.ndarray, d: np.ndarray, k: int) -> None:
    """Add point `p[k]` of weight `w` and its miss `d[k]` to the load of frame f."""
    x, y, z = p[k, 0], p[k, 1], p[k, 2]
    wx, wy, wz = w * x, w * y, w * z
    fx, fy, fz = w * d[k, 0], w * d[k, 1], w * d[k, 2]
    load[f, 0] += w
    load[f, 1] += wx
    load[f, 2] += wy
    load[f, 3] += wz
    load[f, 4] += wy * y + wz * z
    load[f, 5] += wx * x + wz * z
    load[f, 6] += wx * x + wy * y
    load[f, 7] -= wx * y
    load[f, 8] -= wx * z
    load[f, 9] -= wy * z
    load[f, 10] += y * fz - z * fy
    load[f, 11] += z * fx - x * fz
    load[f, 12] += x * fy - y * fx
    load[f, 13] += fx
    load[f, 14] += fy
    load[f, 15] += fz


@inlined
def asked(load: np.ndarray, f: int, s: np.ndarray, j: int) -> Wrench:
    """Return the moment and force that turning by joint j asks of the masses of frame f."""
    ax, ay, az, ux, uy, uz = s[j, 0], s[j, 1], s[j, 2], s[j, 3], s[j, 4], s[j, 5]
    w, mx, my, mz = load[f, 0], load[f, 1], load[f, 2], load[f, 3]
    xy, xz, yz = load[f, 7], load[f, 8], load[f, 9]
    return (
        load[f, 4] * ax + xy * ay + xz * az + my * uz - mz * uy,
        xy * ax + load[f, 5] * ay + yz * az + mz * ux - mx * uz,
        xz * ax + yz * ay + load[f, 6] * az + mx * uy - my * ux,
        ay * mz - az * my + w * ux,
        az * mx - ax * mz + w * uy,
        ax * my - ay * mx + w * uz,
    )


@inlined
def pulled(load: np.ndarray, f: int) -> Wrench:
    """Return the moment and force of the misses on frame f."""
    return load[f, 10], load[f, 11], load[f, 12], load[f, 13], load[f, 14], load[f, 15]


@inlined
def work(s: np.ndarray, j: int, h: Wrench) -> float:
    """Return the work of a moment and force along joint j."""
    turning = s[j, 0] * h[0] + s[j, 1] * h[1] + s[j, 2] * h[2]
    return float(turning + s[j, 3] * h[3] + s[j, 4] * h[4] + s[j, 5] * h[5])


@inlined
def linearise(robot: Robot, lam: np.ndarray, phi: np.ndarray, q: np.ndarray, room: Scratch) -> None:
    """Fill gradient and Gauss-Newton Hessian at the `q` of the last `evaluate`."""
    load, screw, flange = room.load, room.screw, ARM_LENGTH
    read_screws(room.frames, screw)
    for f in range(flange, JOINTS + 1):
        for c in range(LOAD):
            load[f, c] = 0.0
    for k in range(len(robot.weight)):
        hang(load, robot.point_frame[k], robot.weight[k], room.points, room.miss, k)
    for f in range(HANDFUL):
        base = ARM_LENGTH + f * FINGER_LENGTH
        for i in range(FINGER_LENGTH - 1, -1, -1):
            j = base + i
            h = asked(load, j + 1, screw, j)
            for n in range(ARM_LENGTH):
                room.coupling[f, i, n] = work(screw, n, h)
            for n in range(i + 1):
                room.finger[f, i, n] = work(screw, base + n, h)
            room.finger[f, i, i] += 2.0 * lam[j]
            lag = 2.0 * lam[j] * (q[j] - phi[j])
            room.coupling[f, i, RHS] = lag - work(screw, j, pulled(load, j + 1))
            for c in range(LOAD):
                load[j if i > 0 else flange, c] += load[j + 1, c]
    for i in range(ARM_LENGTH):
        h = asked(load, flange, screw, i)
        for n in range(i + 1):
            room.arm[i, n] = work(screw, n, h)
        room.arm[i, i] += 2.0 * lam[i]
        lag = 2.0 * lam[i] * (q[i] - phi[i])
        room.arm[RHS, i] = lag - work(screw, i, pulled(load, flange))
