"""What hangs on the arm's flange."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco


@dataclass(frozen=True, slots=True)
class Payload:
    """Mass [kg] and centre of mass in the flange frame (3,) [m]."""

    mass_kg: float
    com_m: tuple[float, float, float]


def payload_beyond(
    model: mujoco.MjModel, data: mujoco.MjData, joint: int, flange_site: int
) -> Payload:
    """Return mass and centre of all that moves with the last arm link, at the posture of `data`.

    Args:
        model: the model.
        data: its state after a forward pass.
        joint: id of the arm's last joint; its own link does not count.
        flange_site: id of the flange site, in whose frame the centre is given.
    """
    link = int(model.jnt_bodyid[joint])
    beyond = [body for body in range(link + 1, model.nbody) if _has_ancestor(model, body, link)]
    mass = model.body_mass[beyond]
    if not mass.sum() > 0.0:
        return Payload(0.0, (0.0, 0.0, 0.0))
    centre = mass @ data.xipos[beyond] / mass.sum()
    rotation = data.site_xmat[flange_site].reshape(3, 3)
    x, y, z = (rotation.T @ (centre - data.site_xpos[flange_site])).tolist()
    return Payload(float(mass.sum()), (x, y, z))


def _has_ancestor(model: mujoco.MjModel, body: int, ancestor: int) -> bool:
    while body > ancestor:
        body = int(model.body_parentid[body])
    return body == ancestor
