"""The tables of tracks and objects: text, a JSON object a line, only ever added to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from hop_core.config import Config, first_problem
from hop_core.errors import TrajectoryError
from hop_sim.trajectories.track_result import TrackInfo

TRACKS_FILE, OBJECTS_FILE = "tracks.jsonl", "objects.jsonl"


class TrackRow(Config):
    """A track that was tried, and what came of it.

    Attributes:
        info: the track.
        attempts, rejections: see `TrackResult`.
        first_trajectory, trajectories: its rows in episodes/, metrics/ and scene/.
        first_frame, frames: its rows in frames/.
        sha256: of its content, the same in whatever store it lies.
    """

    info: TrackInfo
    attempts: int = Field(ge=0)
    rejections: dict[str, int]
    first_trajectory: int = Field(ge=0)
    trajectories: int = Field(ge=0)
    first_frame: int = Field(ge=0)
    frames: int = Field(ge=0)
    sha256: str

    @property
    def episode_rows(self) -> slice:
        """Its rows in episodes/, metrics/ and scene/."""
        return slice(self.first_trajectory, self.first_trajectory + self.trajectories)

    @property
    def frame_rows(self) -> slice:
        """Its rows in frames/."""
        return slice(self.first_frame, self.first_frame + self.frames)


class ObjectRow(Config):
    """An object.

    Attributes:
        name: unique in the store.
        first_point, points: its rows in objects/surface.
        sha256: of cloud and surface.
    """

    name: str
    first_point: int = Field(ge=0)
    points: int = Field(ge=0)
    sha256: str

    @property
    def surface_rows(self) -> slice:
        """Its rows in objects/surface."""
        return slice(self.first_point, self.first_point + self.points)


RowT = TypeVar("RowT", bound=Config)


def parse_rows(content: bytes, model: type[RowT], where: str) -> list[RowT]:
    """Return the rows in `content`, one per line; `where` names their file in errors.

    Raises:
        TrajectoryError: a line is damaged.
    """
    rows = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            rows.append(model.model_validate_json(line))
        except ValidationError as error:
            raise TrajectoryError(
                f"{where}: line {number}: {first_problem(error)}; the file is damaged: copy the "
                "store again"
            ) from error
    return rows


def append_rows(path: Path, at_byte: int, rows: Sequence[Config]) -> int:
    """Add lines to a table at `at_byte`, where its known part ends; return the new end."""
    with path.open("r+b") as file:
        file.truncate(at_byte)
        file.seek(at_byte)
        for row in rows:
            file.write(row.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        return file.tell()
