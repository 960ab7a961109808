"""Tracks from DexYCB: right hands, the grasped object, in the frame of the tag on the table.

The labels of any camera do. They hold the keypoints in the camera's frame, so that neither the MANO
model nor its licence is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from hop_core.config import config_hash
from hop_core.errors import TrackError
from hop_sim.tracks.assemble import Origin, Sighting, assemble
from hop_sim.tracks.batch import Job, PassedOver
from hop_sim.tracks.config import TracksConfig
from hop_sim.tracks.dexycb_files import Sequence, find_sequences
from hop_sim.tracks.keypoints import KEYPOINTS
from hop_sim.tracks.mesh import read_obj, surface_points
from hop_sim.tracks.rigid import inverse, transform
from hop_sim.tracks.track import Track


def dexycb_jobs(path: Path, config: TracksConfig) -> Iterator[Job]:
    """Yield a job for each sequence at `path`: a tree, a subject's folder, or one sequence.

    Raises:
        TrackError: there is none.
    """
    settings = config_hash(config)
    for sequence in find_sequences(path):
        name = f"dexycb_{sequence.folder.parent.name}_{sequence.folder.name}"
        yield Job(
            name, str(sequence.folder), settings, partial(import_sequence, sequence, name, config)
        )


def import_sequence(sequence: Sequence, name: str, config: TracksConfig) -> Track:
    """Return the track `name` of one sequence.

    Raises:
        PassedOver: the hand is a left one.
        TrackError: naming file and field.
    """
    meta, where = sequence.meta, str(sequence.folder)
    if meta.mano_sides[0] != "right":
        raise PassedOver(f"{where}/meta.yml: mano_sides: is a {meta.mano_sides[0]} hand")
    view = _View(sequence, config.dexycb.compared_cameras)
    for frame in range(meta.num_frames):
        view.add(frame)
    vertices, faces = read_obj(sequence.model_file)
    serial = view.main_camera()
    sighting = Sighting(
        stamps_ns=np.round(np.arange(meta.num_frames) * 1e9 / config.dexycb.fps).astype(np.int64),
        keypoints_m=view.keypoints_m,
        hand_seen=np.isfinite(view.keypoints_m).all(axis=(1, 2)),
        T_table_object=view.T_table_objects[:, meta.ycb_grasp_ind],
        object_seen=np.isfinite(view.T_table_objects[:, meta.ycb_grasp_ind]).all(axis=(1, 2)),
        object_points_m=surface_points(vertices, faces, config.object_points),
        intrinsics=sequence.intrinsics(serial),
        T_table_cam=view.T_table_cam[serial],
        camera_disagreement_m=view.disagreement_m,
        bystander_drift_m=_bystander_drift_m(view.T_table_objects, meta.ycb_grasp_ind),
    )
    origin = Origin(
        name=name,
        object_name=sequence.object_name,
        source="dexycb",
        subject=sequence.folder.parent.name,
        scale_source="calibrated depth cameras",
        settings=config_hash(config),
        provenance={
            "sequence": sequence.folder.name,
            "camera": serial,
            "extrinsics": meta.extrinsics,
        },
    )
    return assemble(sighting, origin, config, where)


class _View:
    """The hand and all objects in the table frame, gathered frame by frame.

    Attributes:
        keypoints_m: (T, 21, 3), NaN where no camera sees the hand.
        T_table_objects: (T, objects, 4, 4), NaN where no camera sees the object.
        T_table_cam: (4, 4) of each camera that is read.
        disagreement_m: largest distance between two cameras' views of a keypoint; None as long as
            no frame was seen by two.
    """

    def __init__(self, sequence: Sequence, compared: int) -> None:
        meta = sequence.meta
        self.keypoints_m = np.full((meta.num_frames, KEYPOINTS, 3), np.nan)
        self.T_table_objects = np.full((meta.num_frames, len(meta.ycb_ids), 4, 4), np.nan)
        self.T_table_cam = _camera_poses(sequence)
        self.disagreement_m: float | None = None
        self._sequence = sequence
        self._compared = compared
        self._used = dict.fromkeys(self.T_table_cam, 0)

    def add(self, frame: int) -> None:
        """Read one frame: cameras in turn, until enough of them have seen the hand."""
        keypoints, objects = self.keypoints_m[frame], self.T_table_objects[frame]
        seen = 0
        for serial, T_table_cam in self.T_table_cam.items():
            labels = self._sequence.labels(serial, frame)
            unseen = np.isnan(objects[:, 0, 0])
            objects[unseen] = T_table_cam @ labels.T_cam_objects[unseen]
            if labels.keypoints_m is None:
                continue
            here = transform(T_table_cam, labels.keypoints_m)
            if seen:
                apart = float(np.linalg.norm(here - keypoints, axis=1).max())
                self.disagreement_m = max(self.disagreement_m or 0.0, round(apart, 6))
            else:
                keypoints[:] = here
                self._used[serial] += 1
            seen += 1
            if seen == self._compared:
                return

    def main_camera(self) -> str:
        """Return the camera that most keypoints were taken from."""
        return max(self._used, key=lambda serial: self._used[serial])


def _camera_poses(sequence: Sequence) -> dict[str, np.ndarray]:
    T_world_cam, T_world_table = sequence.poses()
    cameras = sequence.cameras()
    missing = [serial for serial in cameras if serial not in T_world_cam]
    if missing:
        raise TrackError(
            f"{sequence.folder}/meta.yml: extrinsics: calibration {sequence.meta.extrinsics} lacks "
            f"camera {missing[0]}"
        )
    return {serial: inverse(T_world_table) @ T_world_cam[serial] for serial in cameras}


def _bystander_drift_m(T_table_objects: np.ndarray, grasped: int) -> float | None:
    """How far the steadiest object that is not grasped strays from its median place [m]."""
    others = np.delete(T_table_objects[..., :3, 3], grasped, axis=1)
    others = others[:, ~np.isnan(others).all(axis=(0, 2))]
    if not others.shape[1]:
        return None
    strays = np.linalg.norm(others - np.nanmedian(others, axis=0), axis=2)
    return round(float(np.nanmax(strays, axis=0).min()), 6)
