"""From folders of the release to tracks of the store, one folder at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from hop_core.config import Config, config_hash
from hop_core.errors import TrajectoryError
from hop_core.safety_config import SafetyConfig
from hop_sim.trajectories.header import StoreHeader, make_header
from hop_sim.trajectories.poses import fit_poses
from hop_sim.trajectories.release.audit import LimiterAudit
from hop_sim.trajectories.release.config import JointOrder, ReleaseConfig
from hop_sim.trajectories.release.file import ReleaseFile, read_file
from hop_sim.trajectories.release.folders import EpisodeFolder, find_folders
from hop_sim.trajectories.release.objects import KnownObjects
from hop_sim.trajectories.track_result import TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import (
    UNKNOWN_SEED,
    Frames,
    Scene,
    Trajectory,
    TrajectoryMetrics,
)
from hop_sim.trajectories.writer import TrajectoryWriter

BAD_FILE = "file cannot be used"
_FILES = "files_digest"


class ImportSettings(Config):
    """How a release is imported.

    Attributes:
        release: its frame, and what is refused.
        safety: limits that its targets are audited with.
        joint_order: of the joints in its files.
        source: name of the data set.
        leave_out_bad_files: import a folder without its bad files, which are counted as rejected;
            else one of them keeps the folder out.
    """

    release: ReleaseConfig
    safety: SafetyConfig
    joint_order: JointOrder = "disk"
    source: str = "hop_release"
    leave_out_bad_files: bool = False

    def header(self) -> StoreHeader:
        """Return the header of a store for what is imported so."""
        return make_header(
            {
                "importer": "hop_release",
                "release_import.yaml": config_hash(self.release),
                "safety.yaml": config_hash(self.safety),
                "joint_order": self.joint_order,
            },
            {"kept": "by the release's makers; every file is a kept attempt"},
        )


@dataclass(frozen=True)
class FolderReport:
    """What came of one folder.

    Attributes:
        folder: its name.
        trajectories, frames: that were imported.
        residual_m: largest distance of any point from its place on the rigid object.
        limited_share: steps in which the deployment's limiter would have acted.
        problems: sentences about what could not be used.
        there: whether the store had it already.
    """

    folder: str
    trajectories: int = 0
    frames: int = 0
    residual_m: float = 0.0
    limited_share: float = 0.0
    problems: tuple[str, ...] = ()
    there: bool = False


def import_release(
    root: Path, writer: TrajectoryWriter, settings: ImportSettings
) -> Iterator[FolderReport]:
    """Import the folders below `root` that the store does not have yet; report each.

    A folder is one track, with each of its files as an attempt that was kept; it is imported
    wholly or not at all.

    Raises:
        TrajectoryError: the folders are not laid out as the release's, or the disk refuses.
    """
    store = writer.store()
    objects = KnownObjects(
        {row.name: store.model(row) for row in store.objects}, settings.release.same_object_m
    )
    audit = LimiterAudit(settings.safety)
    for folder in find_folders(root):
        if (row := writer.tracks.get(folder.name)) is not None:
            yield _there(folder, row.info, settings.source)
            continue
        result, report = _import_folder(folder, objects, audit, settings)
        if result is not None:
            writer.append_track(result)
        yield report


def _there(folder: EpisodeFolder, info: TrackInfo, source: str) -> FolderReport:
    """What to report of a folder whose name the store has already."""
    if (info.source, info.provenance.get(_FILES)) == (source, _digest(folder.files)):
        return FolderReport(folder.name, there=True)
    sentence = (
        f"{folder.files[0].parent}: the store has another track '{folder.name}', of {info.source}, "
        "or the files have changed since; import into another store"
    )
    return FolderReport(folder.name, problems=(sentence,))


def _digest(files: Sequence[Path]) -> str:
    """16 hex digits of names and content; a file that cannot be read counts by its name."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0")
        with suppress(OSError), path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _import_folder(
    folder: EpisodeFolder, objects: KnownObjects, audit: LimiterAudit, settings: ImportSettings
) -> tuple[TrackResult | None, FolderReport]:
    trajectories: list[Trajectory] = []
    problems: list[str] = []
    residual_m = 0.0
    for attempt, path in enumerate(folder.files):
        try:
            file = read_file(path, settings.release, settings.joint_order)
            _require_rigid(file, path, settings.release)
        except TrajectoryError as error:
            problems.append(str(error))
            continue
        trajectory, worst_m = _trajectory(file, attempt, objects, audit)
        trajectories.append(trajectory)
        residual_m = max(residual_m, worst_m)
    if problems and not (settings.leave_out_bad_files and trajectories):
        return None, FolderReport(folder.name, problems=tuple(problems))
    limited = float(np.mean([each.metrics.limited_share for each in trajectories]))
    try:
        info = TrackInfo(
            name=folder.name,
            source=settings.source,
            synthetic=False,
            group=f"{settings.source}/{folder.subject}",
            provenance={
                "cloud_residual_m": residual_m,
                "limited_share": limited,
                _FILES: _digest(folder.files),
            },
        )
    except ValidationError:
        sentence = f"{folder.files[0].parent}: the folders' names must be of A-Z a-z 0-9 _ . -"
        return None, FolderReport(folder.name, problems=(sentence,))
    rejections = {BAD_FILE: len(problems)} if problems else {}
    shown = {each.object_name: objects.models[each.object_name] for each in trajectories}
    frames = sum(len(each.frames) for each in trajectories)
    return (
        TrackResult(info, len(folder.files), rejections, trajectories, shown),
        FolderReport(folder.name, len(trajectories), frames, residual_m, limited, tuple(problems)),
    )


def _require_rigid(file: ReleaseFile, path: Path, config: ReleaseConfig) -> None:
    residual = fit_poses(file.cloud[0], file.cloud)[1]
    if residual.max() > config.rigid_m:
        frame = int(residual.argmax())
        raise TrajectoryError(
            f"{path}: object_pc: is not rigid: in frame {frame} a point is "
            f"{1000 * residual[frame]:.2f} mm from its place, allowed are "
            f"{1000 * config.rigid_m:g} mm"
        )


def _trajectory(
    file: ReleaseFile, attempt: int, objects: KnownObjects, audit: LimiterAudit
) -> tuple[Trajectory, float]:
    """The trajectory of a file, and the largest distance [m] of a point from the posed object."""
    name = objects.name_of(file.cloud[0])
    poses, residual = fit_poses(objects.models[name].cloud, file.cloud)
    length = len(file.q)
    frames = Frames(
        q=file.q,
        q_raw=file.q_target,
        q_target=file.q_target,
        object_pose=poses,
        keypoint_error_m=np.full(length, np.nan),
        contact=np.zeros(length, dtype=np.bool_),
    )
    metrics = TrajectoryMetrics.only(
        kept_any=True, limited_share=audit.limited_share(file.q, file.q_target)
    )
    return (
        Trajectory(attempt, UNKNOWN_SEED, name, frames, metrics, Scene.unknown()),
        float(residual.max()),
    )
