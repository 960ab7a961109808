"""A hand of rigid bones: 21 keypoints from where its palm and fingertips are to be.

Palm frame: origin at the middle knuckle, x out of the palm, y to the index finger, z to the
fingertips; a right hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.tracks.keypoints import KEYPOINTS, WRIST
from hop_sim.tracks.rigid import transform
from hop_sim.tracks.synthetic.config import HandConfig

FINGERS = ("thumb", "index", "middle", "ring", "little")
THUMB = 0
_HALVINGS = 40
_STRAIGHT = 0.9995  # of a finger's length; a finger is never quite straight
# The side to which the middle joints stand out when a finger bends, in the palm's frame: fingers
# to the back of the hand and forward, the thumb to the outside and back.
_BULGE = np.array([[-0.2, 0.6, -0.7], *[[-0.7, 0.0, 0.7]] * 4])


@dataclass(frozen=True)
class Hand:
    """The bones of one person's right hand.

    Attributes:
        name: of the subject.
        wrist_m: (3,) in the palm's frame.
        roots_m: (5, 3) where the fingers begin, thumb first.
        bones_m: (5, 3) lengths from root to tip.
        rest_tips_m: (5, 3) of a hand at rest.
        coupling: (5,) bend of the last joint over that of the one before.
        most_bend_rad: of the middle joint.
    """

    name: str
    wrist_m: np.ndarray
    roots_m: np.ndarray
    bones_m: np.ndarray
    rest_tips_m: np.ndarray
    coupling: np.ndarray
    most_bend_rad: float

    def keypoints_m(self, T_table_palm: np.ndarray, tips_m: np.ndarray) -> np.ndarray:
        """Return the keypoints (T, 21, 3) in the table frame.

        Args:
            T_table_palm: (T, 4, 4).
            tips_m: (T, 5, 3) where the fingertips are to be, in the palm's frame; one beyond the
                reach of its finger comes as near as it can on the line from its root.
        """
        local = np.empty((len(tips_m), KEYPOINTS, 3))
        local[:, WRIST] = self.wrist_m
        for finger in range(len(FINGERS)):
            first = 1 + 4 * finger
            local[:, first] = self.roots_m[finger]
            local[:, first + 1 : first + 4] = self._joints(finger, tips_m[:, finger])
        return transform(T_table_palm, local)

    def reaches_m(self, finger: int) -> tuple[float, float]:
        """Return the shortest and the longest distance from a finger's root to its tip."""
        bend = np.array([self.most_bend_rad, 0.0])
        shortest, longest = self._reach_m(finger, bend)
        return float(shortest), float(longest * _STRAIGHT)

    def _reach_m(self, finger: int, bend: np.ndarray) -> np.ndarray:
        """From root to tip (T,) if the middle joint bends by (T,) [rad]: the law of cosines."""
        a, b, c = self.bones_m[finger]
        last = self.coupling[finger] * bend
        turns = a * b * np.cos(bend) + b * c * np.cos(last) + a * c * np.cos(bend + last)
        return np.asarray(np.sqrt(a * a + b * b + c * c + 2.0 * turns))

    def _links(self, finger: int, bend: np.ndarray) -> np.ndarray:
        """Bones in the finger's plane (T, 3, 2), the first along the first axis."""
        angles = -bend[:, None] * np.array([0.0, 1.0, 1.0 + self.coupling[finger]])
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        return np.asarray(self.bones_m[finger][:, None] * directions)

    def _joints(self, finger: int, tip_m: np.ndarray) -> np.ndarray:
        """Joints and tip (T, 3, 3) of a finger that reaches for `tip_m` (T, 3), palm frame.

        A finger bends in a plane, its last two joints together, so that the distance from root to
        tip tells the bend: it falls as the bend grows.
        """
        along = tip_m - self.roots_m[finger]
        distance = np.linalg.norm(along, axis=1)
        along = along / distance[:, None]
        distance = np.clip(distance, *self.reaches_m(finger))
        low, high = np.zeros(len(tip_m)), np.full(len(tip_m), self.most_bend_rad)
        for _ in range(_HALVINGS):
            bend = 0.5 * (low + high)
            longer = self._reach_m(finger, bend) > distance
            low, high = np.where(longer, bend, low), np.where(longer, high, bend)
        links = self._links(finger, 0.5 * (low + high))
        turn = links.sum(axis=1) / distance[:, None]  # the chord's direction, to be along `along`
        forward = np.einsum("tbi,ti->tb", links, turn)
        sideways = links[..., 1] * turn[:, None, 0] - links[..., 0] * turn[:, None, 1]
        bulge = _BULGE[finger] - (along @ _BULGE[finger])[:, None] * along
        bulge /= np.linalg.norm(bulge, axis=1, keepdims=True)
        steps = forward[..., None] * along[:, None] + sideways[..., None] * bulge[:, None]
        return np.asarray(self.roots_m[finger] + np.cumsum(steps, axis=1))


def make_hand(config: HandConfig, number: int) -> Hand:
    """Return hand `number`: the mean hand with its own size and bones, always the same."""
    rng = np.random.default_rng([number, len(FINGERS)])
    size = 1.0 + config.size_deviation * float(np.clip(rng.standard_normal(), -2.0, 2.0))
    bones = np.array([getattr(config, finger) for finger in FINGERS])
    own = 1.0 + config.bone_deviation * np.clip(rng.standard_normal(bones.shape), -2.0, 2.0)
    roots = [config.thumb_root, config.index_root, (0.0, 0.0, 0.0), config.ring_root,
             config.little_root]  # fmt: skip
    coupling = [config.thumb_coupling, *[config.finger_coupling] * 4]
    return Hand(
        name=f"hand_{number:02d}",
        wrist_m=size * np.array(config.wrist),
        roots_m=size * np.array(roots),
        bones_m=size * bones * own,
        rest_tips_m=size * np.array(config.rest_tips),
        coupling=np.array(coupling),
        most_bend_rad=float(np.radians(config.most_bend_deg)),
    )
