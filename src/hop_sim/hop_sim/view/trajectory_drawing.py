"""A robot trajectory as a drawing: in base_link, with the human hand where its track is at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.retargeting.config import RetargetConfig
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo
from hop_sim.trajectories.trajectory import UNKNOWN_SEED, Trajectory
from hop_sim.view.drawing import Curve, Dots, Drawing, Layer, Solid, Strokes, Viewpoint
from hop_sim.view.hand_skeleton import hand_skeleton
from hop_sim.view.keypoint_error import (
    ERROR_LIMIT_M,
    disagreement_m,
    miss_strokes,
    robot_dots,
    scored_points,
)
from hop_sim.view.metric_texts import metric_texts
from hop_sim.view.overlay import Overlay
from hop_sim.view.robot_solids import RobotLook, robot_solids
from hop_sim.view.surroundings import floor_solid, object_solids, obstacle_solids, table_solid
from hop_sim.view.track_drawing import origin_text

_GHOST = RobotLook(Layer.TARGET, (0.25, 0.45, 0.95, 0.35), grown_m=0.0015)
_HAND_OPACITY = 0.55
_TOWARD_EYE = (0.75, -1.05, 0.45)


@dataclass(frozen=True)
class Episode:
    """A trajectory and what its store says of it.

    Attributes:
        index: its number in the store.
        info: its track.
        trajectory: frames, metrics and scene.
        model: its object.
        rate_hz: of its frames.
        overlay: the hand along it; None if it is not at hand.
        overlay_note: why the hand is not at hand.
    """

    index: int
    info: TrackInfo
    trajectory: Trajectory
    model: ObjectModel
    rate_hz: float
    overlay: Overlay | None
    overlay_note: str


def draw_trajectory(episode: Episode, config: RetargetConfig) -> Drawing:
    """Return the drawing of `episode`; `config` says which points of the robot are its keypoints.

    Raises:
        ViewError: the object's points span no solid.
    """
    frames = episode.trajectory.frames
    error_m = frames.keypoint_error_m.astype(np.float64)
    solids = _solids(episode)
    places = [each.poses[:, :3] for each in solids if each.layer in (Layer.ROBOT, Layer.OBJECT)]
    points = scored_points(frames.q, config)
    dots, strokes, overlay_text = _hand(episode, points, error_m, config)
    return Drawing(
        title=f"{episode.info.name}, attempt {episode.trajectory.attempt}",
        facts={
            "Trajectory": {**_facts(episode), "human hand": overlay_text},
            "Metrics": metric_texts(episode.trajectory.metrics),
        },
        rate_hz=episode.rate_hz,
        captions=tuple(_caption(episode, k) for k in range(len(frames))),
        contact=frames.contact,
        curve=Curve("keypoint error [mm]", 1000.0 * error_m, 1000.0 * ERROR_LIMIT_M),
        viewpoint=Viewpoint.on(np.concatenate(places), _TOWARD_EYE),
        solids=solids,
        dots=(robot_dots(points, error_m), *dots),
        strokes=strokes,
        hidden=frozenset({Layer.TARGET}),
    )


def _solids(episode: Episode) -> tuple[Solid, ...]:
    frames, scene = episode.trajectory.frames, episode.trajectory.scene
    hand = episode.overlay is not None
    known = np.isfinite(scene.table_xyz_yaw).all()
    return (
        *robot_solids(frames.q, RobotLook(hand_opacity=_HAND_OPACITY if hand else 1.0)),
        *robot_solids(frames.q_target, _GHOST),
        *object_solids(episode.model.surface, frames.object_pose.astype(np.float64)),
        *((table_solid(scene.table_xyz_yaw),) if known else ()),
        *obstacle_solids(scene.obstacles),
        floor_solid(),
    )


def _hand(
    episode: Episode, points: np.ndarray, error_m: np.ndarray, config: RetargetConfig
) -> tuple[tuple[Dots, ...], tuple[Strokes, ...], str]:
    """The hand with its distances from the robot's points, and what is to be said of it."""
    overlay = episode.overlay
    if overlay is None:
        return (), (), f"not shown: {episode.overlay_note}"
    contact = episode.trajectory.frames.contact
    dots, bones = hand_skeleton(overlay.keypoints_m, contact, overlay.waiting)
    misses = miss_strokes(points, error_m, overlay, config)
    apart_m = disagreement_m(points, error_m, overlay, config)
    agreement = (
        "the store knows no error to compare with"
        if np.isnan(apart_m)
        else f"error as drawn and as stored differ by {1000.0 * apart_m:.1f} mm (median)"
    )
    text = (
        f"the last {len(overlay.waiting) - overlay.lead_in} of {len(overlay.waiting)} frames, time "
        f"scale {overlay.time_scale:g}; {agreement}"
    )
    return (dots,), (bones, misses), text


def _facts(episode: Episode) -> dict[str, str]:
    trajectory, scene = episode.trajectory, episode.trajectory.scene
    seed, frames = trajectory.seed, len(trajectory.frames)
    table = "({:.2f}, {:.2f}, {:.2f}) m, yaw {:.0f}°".format(
        *scene.table_xyz_yaw[:3], np.degrees(scene.table_xyz_yaw[3])
    )
    return {
        "number": str(episode.index),
        "track": episode.info.name,
        "source": origin_text(episode.info.source, episode.info.synthetic),
        "attempt": f"{trajectory.attempt}, seed {'unknown' if seed == UNKNOWN_SEED else seed}",
        "object": trajectory.object_name,
        "frames": f"{frames} at {episode.rate_hz:g} Hz, {int(trajectory.frames.contact.sum())} in "
        "contact",
        "table": table if np.isfinite(scene.table_xyz_yaw).all() else "unknown, not drawn",
        "friction": "unknown" if np.isnan(scene.friction) else f"{scene.friction:.2f}",
        "gain scale": "unknown" if np.isnan(scene.gain_scale) else f"{scene.gain_scale:.2f}",
    }


def _caption(episode: Episode, k: int) -> str:
    frames, overlay = episode.trajectory.frames, episode.overlay
    error_m = float(frames.keypoint_error_m[k])
    error = "error unknown" if np.isnan(error_m) else f"error {1000.0 * error_m:.0f} mm"
    contact = "contact" if frames.contact[k] else "no contact"
    lead_in = ", lead-in" if overlay is not None and k < overlay.lead_in else ""
    return (
        f"frame {k} of {len(frames) - 1}, {k / episode.rate_hz:.2f} s, {error}, {contact}{lead_in}"
    )
