"""The commit: one small file that says how much of the store is there.

Arrays and tables may be longer than it says, after a writer was stopped; what is beyond it does not
exist. It is written beside and renamed, so it is always a whole one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from hop_core.config import Config, first_problem
from hop_core.durable_files import replace_file
from hop_core.errors import TrajectoryError
from hop_sim.trajectories.columns import Column

COMMIT_FILE = "commit.json"
VERSION = 1


class Commit(Config):
    """How much is there.

    Attributes:
        format, version: of the store.
        frames: rows of the arrays in frames/.
        trajectories: rows of those in episodes/, metrics/ and scene/.
        objects: rows of objects/cloud and lines of objects.jsonl.
        surface_points: rows of objects/surface.
        tracks: lines of tracks.jsonl.
        track_bytes, object_bytes: of tracks.jsonl and objects.jsonl.
    """

    format: Literal["hop-trajectories"]
    version: Literal[1]
    frames: int = Field(ge=0)
    trajectories: int = Field(ge=0)
    objects: int = Field(ge=0)
    surface_points: int = Field(ge=0)
    tracks: int = Field(ge=0)
    track_bytes: int = Field(ge=0)
    object_bytes: int = Field(ge=0)

    @classmethod
    def nothing(cls) -> Commit:
        """Return the commit of an empty store."""
        counts = dict.fromkeys(set(cls.model_fields) - {"format", "version"}, 0)
        return cls.model_validate({"format": "hop-trajectories", "version": VERSION, **counts})

    def rows(self, column: Column) -> int:
        """Return how many rows of `column` are there."""
        if column.folder == "frames":
            return self.frames
        if column.folder == "objects":
            return self.objects if column.name == "cloud" else self.surface_points
        return self.trajectories


def parse_commit(content: bytes, where: str) -> Commit:
    """Return the commit in `content`; `where` names its file in errors.

    Raises:
        TrajectoryError: it is damaged, or of another version.
    """
    try:
        return Commit.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"] == ("version",):
            raise TrajectoryError(
                f"{where}: version: is {first['input']!r}, this software reads version {VERSION}; "
                "make the store again, or use the software that wrote it"
            ) from error
        raise TrajectoryError(
            f"{where}: {first_problem(error)}; the file is damaged: copy the store again"
        ) from error


def write_commit(root: Path, commit: Commit) -> None:
    """Put `commit` in force in the store at `root`."""
    replace_file(root / COMMIT_FILE, (commit.model_dump_json(indent=1) + "\n").encode())
