"""Where a hand will take hold: what the vision token must tell, so that a policy learns to look.

Imitation alone teaches that last: where a hand is heading already tells nearly all of its next
target, but not where to head from the start. So the token is asked for the way to the grasp by
itself. While the hand is above all that stands on the table, what stands there may be elsewhere and
the grasp with it, so each such image shows as many scenes as are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hop_core.embodiment import BENDING_JOINTS, JOINT_NAMES
from hop_core.kinematics import Kinematics
from hop_core.robot_model import TIP_SITES
from hop_policy.cell_statics import CellFrames
from hop_policy.contract import PolicyContract
from hop_policy.frame_store import FrameStore
from hop_policy.model import AIM
from hop_policy.observation import JointScaling
from hop_policy.segments import WHOLE, Share
from hop_policy.table_view import STANDING_M, level_axes, turned

_UNIT_M = 0.1
_CLOSES = 0.1  # policy units: a hand that bends less takes hold of nothing
_BENDING = [JOINT_NAMES.index(name) for name in BENDING_JOINTS]
_STREAM = 1  # beside that of the segments


@dataclass(frozen=True)
class AimBatch:
    """Single frames before a grasp, and where it will be.

    Attributes:
        vision: (N, 60, 60) depth [m].
        aim: (N, 5) in the level axes of the camera.
        above: (N,) bool, whether the hand is above all that stands on the table.
        table_motion: (N, 3) turn [rad] and shift right and ahead [m] of all that is seen; None is
            not at all.
        displacement: (N, 2) right and ahead [m] by which what stands on the table is moved before;
            None is not at all. `aim` is as all this shows it.
    """

    vision: Tensor
    aim: Tensor
    above: Tensor
    table_motion: Tensor | None = None
    displacement: Tensor | None = None


def grasp_tick(action: np.ndarray) -> int:
    """Returns the tick at which a demonstration's hand takes hold; 0 if it never closes.

    It is told by the labels (T, 23) alone: the fingers are then half way from where they are
    straightest to where they are bent most.
    """
    bent = action[:, _BENDING].mean(axis=1)
    most = int(bent.argmax())
    least = int(bent[: most + 1].argmin())
    if bent[most] - bent[least] < _CLOSES:
        return 0
    half = (bent[least] + bent[most]) / 2
    return least + int((bent[least : most + 1] > half).argmax())


class Aiming:
    """Works out aims from joint angles and grasps."""

    def __init__(self, contract: PolicyContract) -> None:
        self._scaling, self._kinematics = JointScaling(contract), Kinematics()

    def rows(self, proprio: np.ndarray, grasp: int, cell: CellFrames) -> np.ndarray:
        """Returns (T, 6) float32 of an episode: the aim, and 1 where the hand is above all else.

        Rows from the grasp on are NaN.

        Args:
            proprio: (T, 23) policy units.
            grasp: tick at which the hand takes hold.
            cell: where camera and table stand.
        """
        rows = np.full((len(proprio), AIM + 1), np.nan, np.float32)
        if grasp == 0:
            return rows
        R_level_base = _level_rotation(cell.T_base_cam)
        q = self._scaling.unscale(proprio[: grasp + 1]).astype(np.float64)
        sites = [self._kinematics.fk(row) for row in q]
        palms = np.stack([poses["palm"] for poses in sites])
        way_m = (palms[grasp, :3, 3] - palms[:grasp, :3, 3]) @ R_level_base.T
        rows[:grasp, :3] = way_m / _UNIT_M
        rows[:grasp, 3:5] = R_level_base[:2] @ palms[grasp, :3, 0]
        lowest_m = np.array([min(poses[tip][2, 3] for tip in TIP_SITES) for poses in sites[:grasp]])
        lowest_m -= cell.T_base_table[2, 3]
        rows[:grasp, AIM] = np.logical_and.accumulate(lowest_m > STANDING_M)
        return rows


def _level_rotation(T_base_cam: np.ndarray) -> np.ndarray:
    """Returns (3, 3): base_link's coordinates to right, ahead and up as the camera stands."""
    right, ahead = level_axes(torch.from_numpy(-T_base_cam[2:3, :3]))
    axes = torch.cat([right, ahead]).numpy() @ T_base_cam[:3, :3].T
    return np.concatenate([axes, [[0.0, 0.0, 1.0]]])


class AimSampler:
    """Draws frames before a grasp, each equally likely; a function of seed and step."""

    def __init__(self, store: FrameStore, rows: np.ndarray, frames: int, seed: int) -> None:
        """Keeps the store.

        Args:
            store: frames of all episodes.
            rows: (N, 6) of `Aiming`, as the store's frames.
            frames: of a batch, a multiple of the processes.
            seed: what is drawn is drawn from this.
        """
        self._store, self._frames, self._seed = store, frames, seed
        self._before = np.flatnonzero(np.isfinite(rows[:, 0]))
        self._rows = torch.from_numpy(rows[self._before]).to(store.device)

    def __len__(self) -> int:
        """Returns how many frames lie before a grasp."""
        return len(self._before)

    def batch(self, step: int, share: Share = WHOLE) -> AimBatch:
        """Returns the batch of `step`, or a share of it."""
        rng = np.random.default_rng((self._seed, step, _STREAM))
        drawn = rng.integers(len(self._before), size=self._frames)[share.rows(self._frames)]
        device = self._store.device
        rows = self._rows[torch.from_numpy(drawn).to(device)]
        vision = self._store.vision(torch.from_numpy(self._before[drawn]).to(device))
        return AimBatch(vision, rows[:, :AIM], rows[:, AIM] > 0)


def moved_aim(aim: Tensor, displacement: Tensor, turn: Tensor | None = None) -> Tensor:
    """Returns aims (N, 5) as a moved table view shows them.

    Args:
        aim: (N, 5).
        displacement: (N, 2) by which the grasp is moved [m].
        turn: (N,) by which the view is then turned [rad]; None is not at all.
    """
    right, ahead = (aim[:, :2] + displacement / _UNIT_M).unbind(1)
    normal_right, normal_ahead = aim[:, 3:].unbind(1)
    if turn is not None:
        right, ahead = turned(right, ahead, turn)
        normal_right, normal_ahead = turned(normal_right, normal_ahead, turn)
    return torch.stack([right, ahead, aim[:, 2], normal_right, normal_ahead], dim=1)
