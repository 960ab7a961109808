"""Where a hand goes next: what the vision token must tell, so that a policy learns to look.

Imitation alone teaches that last: where a hand is heading already tells nearly all of its next
target, but not where to head from the start. So the token is asked for the way to the grasp by
itself, and, of tasks that bring what is held to something else, for the way there after it. While
the hand is above all that stands on the table, what stands there may be elsewhere and the aim with
it, so each such image shows as many scenes as are wanted. What is taken hold of can be moved apart
from all else: few demonstrations have few distances between an object and its goal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from hop_policy.table_view import Displacement, level_axes, turned

BELOW, HELD = AIM, AIM + 1
GRASP_PLACE, GOAL_PLACE = slice(AIM + 2, AIM + 4), slice(AIM + 4, AIM + 6)
ROW = AIM + 6
"""Columns of what a frame teaches: its aim, then these of an `AimBatch`."""

UNIT_M = 0.1
"""Of the way that an aim tells."""

_THUMB = "thumb_tip"
_CLOSES = 0.1  # policy units: a hand that bends less takes hold of nothing
_BENDING = [JOINT_NAMES.index(name) for name in BENDING_JOINTS]
_STREAM = 1  # beside that of the segments


@dataclass(frozen=True)
class AimBatch:
    """Single frames, and where the hand goes next.

    Attributes:
        vision: (N, 60, 60) depth [m].
        aim: (N, 5) the palm's way right, ahead and up in the level axes of the camera [0.1 m], and
            its normal's right and ahead where it ends.
        below_m: (N,) what is lower over the table than this stands there, and the hand does not: it
            may be moved [m]; 0 is nothing.
        grasp_m, goal_m: (N, 2) where the hand takes hold, and where it brings what it holds, right
            and ahead of the camera as calibrated [m]: where it was bumped, both are off alike. A
            goal that nobody knows is infinitely far.
        held: (N,) whether it has taken hold: the aim is then the goal.
        table_motion: (N, 3) turn [rad] and shift right and ahead [m] of all that is seen; None is
            not at all.
        displacement: by which what stands on the table is moved before; None is not at all. `aim`
            is as all this shows it.
    """

    vision: Tensor
    aim: Tensor
    below_m: Tensor
    grasp_m: Tensor
    goal_m: Tensor
    held: Tensor
    table_motion: Tensor | None = None
    displacement: Displacement | None = None


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


def goal_tick(action: np.ndarray, grasp: int) -> int:
    """Returns the tick at which a demonstration's hand has brought what it holds to its goal.

    It lets go there, as the labels (T, 23) tell; or it holds on to the end.
    """
    opened = opening_tick(action, grasp)
    return len(action) - 1 if opened is None else opened


def opening_tick(action: np.ndarray, grasp: int) -> int | None:
    """Returns the tick at which a demonstration's hand lets go; None if it holds on to the end.

    Its fingers, of which the labels (T, 23) tell, are then half way back.
    """
    bent = action[grasp:, _BENDING].mean(axis=1)
    half = (action[: grasp + 1, _BENDING].mean(axis=1).min() + bent.max()) / 2
    opened = np.flatnonzero(bent[bent.argmax() :] < half)
    return grasp + int(bent.argmax() + opened[0]) if len(opened) else None


class Aiming:
    """Works out aims from joint angles, grasps and goals."""

    def __init__(
        self, contract: PolicyContract, object_m: float = 0.0, goal_m: float = 0.0
    ) -> None:
        """Keeps how high the objects that hands take hold of, and their goals, reach [m].

        Args:
            contract: of the joint angles.
            object_m: while the hand is above, what is lower may be moved before a grasp; 0: never.
            goal_m: while hand and object are above, what is lower may be moved after it; 0: where
                the object is brought is not taught.
        """
        self._scaling, self._kinematics = JointScaling(contract), Kinematics()
        self._object_m, self._goal_m = object_m, goal_m

    def rows(
        self, proprio: np.ndarray, grasp: int, cell: CellFrames, action: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns (T, `ROW`) float32 of an episode: an aim and what an `AimBatch` has beside it.

        Rows that teach nothing are NaN: those from the grasp on, or from the goal.

        Args:
            proprio: (T, 23) policy units.
            grasp: tick at which the hand takes hold; 0 if it never does.
            cell: where camera and table stand.
            action: (T, 23) labels of a demonstration, policy units, which tell the goal; None if
                nobody knows it.
        """
        rows = np.full((len(proprio), ROW), np.nan, np.float32)
        if grasp == 0:
            return rows
        end = grasp if action is None or not self._goal_m else goal_tick(action, grasp)
        sites = self._sites(proprio[: end + 1])
        palms = np.stack([poses["palm"] for poses in sites])
        R_level_base = _level_rotation(cell.T_base_cam)

        def place(poses: Mapping[str, np.ndarray]) -> np.ndarray:
            grip_m = _between_fingers(poses) - cell.T_base_cam[:3, 3]
            return np.asarray((R_level_base @ grip_m)[:2])

        _aim_at(palms[grasp], palms[:grasp], R_level_base, rows[:grasp])
        rows[:end, GRASP_PLACE] = place(sites[grasp])
        rows[:end, GOAL_PLACE] = np.inf
        rows[:end, HELD] = np.arange(end) >= grasp
        lowest_m = np.array([min(poses[tip][2, 3] for tip in TIP_SITES) for poses in sites])
        lowest_m -= cell.T_base_table[2, 3]
        above = np.logical_and.accumulate(lowest_m[:grasp] > self._object_m)
        rows[:grasp, BELOW] = above * self._object_m
        if action is not None and end > grasp:
            (asked,) = self._sites(action[end - 1 : end])  # the arm may stray from it
            _aim_at(asked["palm"], palms[grasp:end], R_level_base, rows[grasp:end])
            rows[:end, GOAL_PLACE] = place(asked)
            # What stood on the table at the grasp has risen with the palm.
            risen_m = palms[grasp:end, 2, 3] - palms[grasp, 2, 3]
            above = np.minimum(lowest_m[grasp:end], risen_m) > self._goal_m
            rows[grasp:end, BELOW] = above * self._goal_m
        return rows

    def _sites(self, scaled: np.ndarray) -> list[dict[str, np.ndarray]]:
        """Returns the poses of palm and fingertips at joint angles (N, 23), policy units."""
        q = self._scaling.unscale(scaled).astype(np.float64)
        return [self._kinematics.fk(row) for row in q]


def may_not_move(rows: np.ndarray, where: np.ndarray) -> None:
    """Has `rows` (T, `ROW`) tell that nothing may be moved `where` (T,) that is true."""
    rows[:, BELOW] *= ~where


def _between_fingers(poses: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the middle (3,) [m] between the thumb's tip and those of the other fingers."""
    others = np.mean([poses[tip][:3, 3] for tip in TIP_SITES if tip != _THUMB], axis=0)
    return np.asarray(0.5 * (poses[_THUMB][:3, 3] + others))


def _aim_at(end: np.ndarray, palms: np.ndarray, R_level_base: np.ndarray, rows: np.ndarray) -> None:
    """Writes the way of each of the `palms` (T, 4, 4) to the one at `end` (4, 4) into `rows`."""
    way_m = (end[:3, 3] - palms[:, :3, 3]) @ R_level_base.T
    rows[:, :3] = way_m / UNIT_M
    rows[:, 3:5] = R_level_base[:2] @ end[:3, 0]


def _level_rotation(T_base_cam: np.ndarray) -> np.ndarray:
    """Returns (3, 3): base_link's coordinates to right, ahead and up as the camera stands."""
    right, ahead = level_axes(torch.from_numpy(-T_base_cam[2:3, :3]))
    axes = torch.cat([right, ahead]).numpy() @ T_base_cam[:3, :3].T
    return np.concatenate([axes, [[0.0, 0.0, 1.0]]])


class AimSampler:
    """Draws frames that teach an aim, each equally likely; a function of seed and step."""

    def __init__(self, store: FrameStore, rows: np.ndarray, frames: int, seed: int) -> None:
        """Keeps the store.

        Args:
            store: frames of all episodes.
            rows: (N, `ROW`) of `Aiming`, as the store's frames.
            frames: of a batch, a multiple of the processes.
            seed: what is drawn is drawn from this.
        """
        self._store, self._frames, self._seed = store, frames, seed
        self._taught = np.flatnonzero(np.isfinite(rows[:, 0]))
        self._rows = torch.from_numpy(rows[self._taught]).to(store.device)

    def __len__(self) -> int:
        """Returns how many frames teach an aim."""
        return len(self._taught)

    def batch(self, step: int, share: Share = WHOLE) -> AimBatch:
        """Returns the batch of `step`, or a share of it."""
        rng = np.random.default_rng((self._seed, step, _STREAM))
        drawn = rng.integers(len(self._taught), size=self._frames)
        return self._batch(drawn[share.rows(self._frames)])

    def all(self) -> Iterator[AimBatch]:
        """Yields all frames that teach an aim, in order, in batches."""
        for first in range(0, len(self), self._frames):
            yield self._batch(np.arange(first, min(first + self._frames, len(self))))

    def _batch(self, drawn: np.ndarray) -> AimBatch:
        device = self._store.device
        rows = self._rows[torch.from_numpy(drawn).to(device)]
        vision = self._store.vision(torch.from_numpy(self._taught[drawn]).to(device))
        places = rows[:, GRASP_PLACE], rows[:, GOAL_PLACE]
        return AimBatch(vision, rows[:, :AIM], rows[:, BELOW], *places, rows[:, HELD] > 0)


def moved_aim(aim: Tensor, shift_m: Tensor, turn: Tensor | None = None) -> Tensor:
    """Returns aims (N, 5) as a moved table view shows them.

    Args:
        aim: (N, 5).
        shift_m: (N, 2) by which grasp or goal is moved, right and ahead [m].
        turn: (N,) by which the view is then turned [rad]; None is not at all.
    """
    right, ahead = (aim[:, :2] + shift_m / UNIT_M).unbind(1)
    normal_right, normal_ahead = aim[:, 3:].unbind(1)
    if turn is not None:
        right, ahead = turned(right, ahead, turn)
        normal_right, normal_ahead = turned(normal_right, normal_ahead, turn)
    return torch.stack([right, ahead, aim[:, 2], normal_right, normal_ahead], dim=1)
