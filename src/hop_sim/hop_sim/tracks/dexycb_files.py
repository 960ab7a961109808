"""The files of a DexYCB tree: sequences, calibration, labels of one camera and frame.

Source: Chao et al. 2021, DexYCB; the layout of the released archives.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import Field, FiniteFloat, PositiveFloat

from hop_core.errors import TrackError
from hop_sim.tracks.foreign_yaml import Foreign, read_foreign_yaml
from hop_sim.tracks.keypoints import KEYPOINTS
from hop_sim.tracks.npz import read_npz
from hop_sim.tracks.rigid import is_rigid
from hop_sim.tracks.structure import require_array
from hop_sim.tracks.track import Intrinsics

# Models by id, from 1 on. Source: the YCB object and model set.
YCB_NAMES = (
    "002_master_chef_can", "003_cracker_box", "004_sugar_box", "005_tomato_soup_can",
    "006_mustard_bottle", "007_tuna_fish_can", "008_pudding_box", "009_gelatin_box",
    "010_potted_meat_can", "011_banana", "019_pitcher_base", "021_bleach_cleanser", "024_bowl",
    "025_mug", "035_power_drill", "036_wood_block", "037_scissors", "040_large_marker",
    "051_large_clamp", "052_extra_large_clamp", "061_foam_brick",
)  # fmt: skip
IMAGE_SIZE = (640, 480)
_ABSENT = -1.0  # all of joint_3d where a camera does not see the hand
_TAG = "apriltag"


class SequenceMeta(Foreign):
    """What `meta.yml` of a sequence says.

    Attributes:
        serials: of the cameras.
        num_frames: of each camera.
        ycb_ids: objects in the scene, from 1 on.
        ycb_grasp_ind: place of the grasped one in `ycb_ids`.
        mano_sides: of the hands; there is one.
        extrinsics: calibration it was recorded with.
    """

    serials: tuple[str, ...] = Field(min_length=1)
    num_frames: int = Field(ge=1)
    ycb_ids: tuple[int, ...] = Field(min_length=1)
    ycb_grasp_ind: int = Field(ge=0)
    mano_sides: tuple[str, ...] = Field(min_length=1)
    extrinsics: str


class _Extrinsics(Foreign):
    """`extrinsics.yml`: twelve numbers per camera, and as many for the tag on the table."""

    extrinsics: dict[str, tuple[float, ...]]


class _ColorIntrinsics(Foreign):
    fx: PositiveFloat
    fy: PositiveFloat
    ppx: FiniteFloat
    ppy: FiniteFloat


class _CameraFile(Foreign):
    color: _ColorIntrinsics


@dataclass(frozen=True)
class Labels:
    """What the labels of one camera show in one frame.

    Attributes:
        keypoints_m: (21, 3) in the camera's frame; None where the hand is not seen.
        T_cam_objects: (objects, 4, 4); NaN where an object is not seen.
    """

    keypoints_m: np.ndarray | None
    T_cam_objects: np.ndarray


@dataclass(frozen=True)
class Sequence:
    """One sequence of a DexYCB tree.

    Attributes:
        root: of the tree, the folder that holds `calibration` and `models`.
        folder: of the sequence, `<root>/<subject>/<sequence>`.
    """

    root: Path
    folder: Path

    @cached_property
    def meta(self) -> SequenceMeta:
        """What `meta.yml` says.

        Raises:
            TrackError: it is missing, damaged or names an object that there is not.
        """
        path = self.folder / "meta.yml"
        meta = read_foreign_yaml(path, SequenceMeta)
        unknown = [i for i in meta.ycb_ids if not 1 <= i <= len(YCB_NAMES)]
        if unknown:
            raise TrackError(
                f"{path}: ycb_ids: unknown object {unknown[0]}, known are 1 to {len(YCB_NAMES)}"
            )
        if meta.ycb_grasp_ind >= len(meta.ycb_ids):
            raise TrackError(
                f"{path}: ycb_grasp_ind: is {meta.ycb_grasp_ind}, but there are only "
                f"{len(meta.ycb_ids)} objects"
            )
        return meta

    @property
    def object_name(self) -> str:
        """YCB name of the grasped object."""
        return YCB_NAMES[self.meta.ycb_ids[self.meta.ycb_grasp_ind] - 1]

    @property
    def model_file(self) -> Path:
        """Mesh of the grasped object."""
        return self.root / "models" / self.object_name / "textured_simple.obj"

    def cameras(self) -> list[str]:
        """Return the serials of the cameras whose labels are there, in the order of `meta.yml`.

        Raises:
            TrackError: there are none.
        """
        found = [s for s in self.meta.serials if any((self.folder / s).glob("labels_*.npz"))]
        if not found:
            raise TrackError(
                f"{self.folder}: labels: no camera's folder holds labels_*.npz; unpack one camera"
            )
        return found

    def poses(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return T_world_cam (4, 4) of each camera, and T_world_table of the tag.

        Raises:
            TrackError: the calibration is missing, damaged, or lacks the tag.
        """
        path = self.root / "calibration" / f"extrinsics_{self.meta.extrinsics}" / "extrinsics.yml"
        found = read_foreign_yaml(path, _Extrinsics).extrinsics
        poses = {name: _pose(numbers, path, name) for name, numbers in found.items()}
        if _TAG not in poses:
            raise TrackError(f"{path}: {_TAG}: is missing; without it the table is not known")
        return poses, poses.pop(_TAG)

    def intrinsics(self, serial: str) -> Intrinsics | None:
        """Return the colour camera `serial`; None if its file is not there.

        Raises:
            TrackError: the file is damaged.
        """
        width, height = IMAGE_SIZE
        path = self.root / "calibration" / "intrinsics" / f"{serial}_{width}x{height}.yml"
        if not path.exists():
            return None
        color = read_foreign_yaml(path, _CameraFile).color
        return Intrinsics(
            fx=color.fx, fy=color.fy, cx=color.ppx, cy=color.ppy, width=width, height=height
        )

    def labels(self, serial: str, frame: int) -> Labels:
        """Return what camera `serial` shows in `frame`; the segmentation is not unpacked.

        Raises:
            TrackError: the file is missing, truncated or of other shapes.
        """
        path = self.folder / serial / f"labels_{frame:06d}.npz"
        arrays = read_npz(path, ("joint_3d", "pose_y"))
        joints, objects = arrays["joint_3d"], arrays["pose_y"]
        require_array(joints, (1, KEYPOINTS, 3), "f", str(path), "joint_3d")
        require_array(objects, (len(self.meta.ycb_ids), 3, 4), "f", str(path), "pose_y")
        keypoints = None if (joints == _ABSENT).all() else joints[0].astype(np.float64)
        if keypoints is not None and not np.isfinite(keypoints).all():
            raise TrackError(f"{path}: joint_3d: not a number; the labels are damaged")
        return Labels(keypoints, _object_poses(objects.astype(np.float64), path))


def find_sequences(path: Path) -> Iterator[Sequence]:
    """Yield the sequences at `path`: of a tree, a subject's folder, or one sequence.

    Raises:
        TrackError: there are none, or no folder above them holds `calibration`.
    """
    path = Path(os.path.abspath(path))  # folders above name the subject; links stay as they are
    roots = [each for each in (path, *path.parents) if (each / "calibration").is_dir()]
    if not roots:
        raise TrackError(
            f"{path}: calibration: is missing in this folder and those above it; unpack "
            "calibration.tar.gz beside the subjects"
        )
    found = False
    for pattern in ("meta.yml", "*/meta.yml", "*/*/meta.yml"):
        for meta in sorted(path.glob(pattern)):
            found = True
            yield Sequence(roots[0], meta.parent)
    if not found:
        raise TrackError(f"{path}: meta.yml: no sequence found in the two levels below")


def _object_poses(poses: np.ndarray, path: Path) -> np.ndarray:
    """(objects, 4, 4) of `pose_y` (objects, 3, 4), NaN where it says that there is none.

    None is all 0, all -1, or no rotation at the camera itself: what (0, 0, 0, 1, 0, 0, 0) of
    `pose.npz` becomes.
    """
    nowhere = np.eye(4)[:3]
    absent = [(p == 0.0).all() or (p == _ABSENT).all() or (p == nowhere).all() for p in poses]
    out = np.concatenate([poses, np.broadcast_to([0.0, 0.0, 0.0, 1.0], (len(poses), 1, 4))], axis=1)
    wrong = ~is_rigid(out) & ~np.array(absent)
    if wrong.any():
        raise TrackError(f"{path}: pose_y: object {np.argmax(wrong)} has no rigid pose")
    out[absent] = np.nan
    return out


def _pose(numbers: tuple[float, ...], path: Path, name: str) -> np.ndarray:
    if len(numbers) != 12:
        raise TrackError(f"{path}: {name}: must be 12 numbers, a 3x4 matrix, got {len(numbers)}")
    T = np.concatenate([np.reshape(numbers, (3, 4)), [[0.0, 0.0, 0.0, 1.0]]])
    if not is_rigid(T):
        raise TrackError(f"{path}: {name}: is no rotation and translation")
    return T
