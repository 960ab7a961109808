"""The release's folders: ROOT/SUBJECT/EPISODE/*.npy, one trajectory a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hop_core.errors import TrajectoryError


@dataclass(frozen=True)
class EpisodeFolder:
    """The files of one source video: attempts at one track.

    Attributes:
        name: SUBJECT/EPISODE, the name of the track.
        subject: the first part; tracks of one subject stay on one side of a split.
        files: its .npy files, sorted; at least one.
    """

    name: str
    subject: str
    files: tuple[Path, ...]


def find_folders(root: Path) -> list[EpisodeFolder]:
    """Return the episodes below `root`, sorted.

    Raises:
        TrajectoryError: there is none, or a file lies at another depth.
    """
    if not root.is_dir():
        raise TrajectoryError(f"{root}: is no folder; check the path")
    files: dict[Path, list[Path]] = {}
    for path in sorted(root.rglob("*.npy")):
        if len(path.relative_to(root).parts) != 3:
            raise TrajectoryError(
                f"{path}: lies at another depth than {root}/SUBJECT/EPISODE/*.npy; name the folder "
                "that holds the subjects, such as the release's train"
            )
        files.setdefault(path.parent, []).append(path)
    if not files:
        raise TrajectoryError(f"{root}: holds no SUBJECT/EPISODE/*.npy; check the path")
    return [
        EpisodeFolder(f"{folder.parent.name}/{folder.name}", folder.parent.name, tuple(found))
        for folder, found in sorted(files.items())
    ]
