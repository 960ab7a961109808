"""One synthetic scene in time: reach, grasp, moves, release; without any error of a tracker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.tracks.rigid import inverse, transform
from hop_sim.tracks.synthetic.catalogue import SyntheticObject
from hop_sim.tracks.synthetic.config import MotionConfig, SyntheticConfig
from hop_sim.tracks.synthetic.course import minimum_jerk
from hop_sim.tracks.synthetic.grasp import Grasp, draw_grasp
from hop_sim.tracks.synthetic.hand import Hand
from hop_sim.tracks.synthetic.moves import Move, draw_moves, draw_place
from hop_sim.tracks.synthetic.reach import Reach, draw_reach

_SHAPED = 0.6  # share of a reach after which the hand is open. Source: Jeannerod 1984, 60-70 %


@dataclass(frozen=True)
class Scene:
    """What happens in one track, T frames.

    Attributes:
        time_s: (T,).
        T_table_object: (T, 4, 4).
        T_table_palm: (T, 4, 4).
        tips_m: (T, 5, 3) in the palm's frame.
        grasp: of the object.
        moves: how often the object was moved.
        put_down: whether it stands on the table in the end.
    """

    time_s: np.ndarray
    T_table_object: np.ndarray
    T_table_palm: np.ndarray
    tips_m: np.ndarray
    grasp: Grasp
    moves: int
    put_down: bool


def draw_scene(
    thing: SyntheticObject,
    cloud: np.ndarray,
    hand: Hand,
    config: SyntheticConfig,
    rng: np.random.Generator,
) -> Scene | None:
    """Return a scene, or None if what was drawn cannot happen.

    Args:
        thing: the object.
        cloud: (P, 3) points on its surface.
        hand: that handles it.
        config: of the generator.
        rng: draws.
    """
    start = draw_place(config.motion, rng)
    grasp = draw_grasp(thing.shape, cloud, start, hand, config.grasp, rng)
    if grasp is None:
        return None
    moves = draw_moves(start, config.motion, rng)
    if moves is None:
        return None
    reach = draw_reach(start @ grasp.T_object_palm, config.motion, rng)
    back = draw_reach(moves[-1].goal @ grasp.T_object_palm, config.motion, rng)
    scene = _Timeline(reach, moves, back, grasp, hand, config, rng).scene()
    return scene if _can_happen(scene, thing, cloud, hand, config) else None


class _Timeline:
    """When what happens: the hand arrives, has closed, the object has arrived, the hand is off."""

    def __init__(
        self,
        reach: Reach,
        moves: list[Move],
        back: Reach,
        grasp: Grasp,
        hand: Hand,
        config: SyntheticConfig,
        rng: np.random.Generator,
    ) -> None:
        motion: MotionConfig = config.motion
        self._reach, self._moves, self._back = reach, moves, back
        self._grasp, self._hand = grasp, hand
        self._close_s, self._open_s = rng.uniform(*motion.close_s, size=2)
        self._closing = motion.close_from * reach.seconds
        self._closed = max(self._closing + self._close_s, reach.seconds)
        begins = self._closed + np.cumsum([0.0, *(m.pause_s + m.seconds for m in moves)])
        self._begins, self._arrived = begins[:-1], float(begins[-1])
        self._leaves = self._arrived + self._open_s
        end = self._leaves + back.seconds if moves[-1].rests else self._arrived + self._close_s
        self._time_s = np.arange(0.0, end, 1.0 / config.fps)

    def scene(self) -> Scene:
        """Return everything at every frame."""
        T_table_object = self._object()
        return Scene(
            time_s=self._time_s,
            T_table_object=T_table_object,
            T_table_palm=self._palm(T_table_object),
            tips_m=self._tips(),
            grasp=self._grasp,
            moves=len(self._moves),
            put_down=self._moves[-1].rests,
        )

    def _object(self) -> np.ndarray:
        out = np.repeat(self._moves[0].start[None], len(self._time_s), axis=0)
        for begin, move in zip(self._begins, self._moves, strict=True):
            since = self._time_s >= begin
            out[since] = move.poses(self._time_s[since] - begin)
        return np.asarray(out)

    def _palm(self, T_table_object: np.ndarray) -> np.ndarray:
        out = T_table_object @ self._grasp.T_object_palm
        before = self._time_s < self._closed
        out[before] = self._reach.poses(self._time_s[before])
        if self._moves[-1].rests:
            after = self._time_s > self._leaves
            out[after] = self._back.poses_back(self._time_s[after] - self._leaves)
        return np.asarray(out)

    def _tips(self) -> np.ndarray:
        """From rest to open during the reach, to the contacts, open again, and back to rest."""
        rest, opened, touch = self._hand.rest_tips_m, self._grasp.open_tips_m, self._grasp.tips_m
        t = self._time_s
        shaped = minimum_jerk(t / (_SHAPED * self._reach.seconds))[:, None, None]
        closed = minimum_jerk((t - self._closing) / self._close_s)[:, None, None]
        out = rest + shaped * (opened - rest) + closed * (touch - opened)
        if self._moves[-1].rests:
            off = minimum_jerk((t - self._arrived) / self._open_s)[:, None, None]
            calm = (t - self._leaves) / self._back.seconds
            eased = minimum_jerk((calm - 1.0 + _SHAPED) / _SHAPED)[:, None, None]
            out = out + off * (opened - touch) + eased * (rest - opened)
        return np.asarray(out)


def _can_happen(
    scene: Scene,
    thing: SyntheticObject,
    cloud: np.ndarray,
    hand: Hand,
    config: SyntheticConfig,
) -> bool:
    """Whether the hand stays out of table and object, and the object out of the table."""
    lowest = transform(scene.T_table_object, cloud.astype(np.float64))[..., 2].min()
    if lowest < -config.motion.sink_m:
        return False
    keypoints = hand.keypoints_m(scene.T_table_palm, scene.tips_m)
    if keypoints[..., 2].min() < config.grasp.clear_table_m:
        return False
    local = transform(inverse(scene.T_table_object), keypoints)
    return not thing.shape.inside(local, config.motion.inside).any()
