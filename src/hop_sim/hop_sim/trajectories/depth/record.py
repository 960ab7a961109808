"""What a store's depth says of itself: how much is there, of which tracks, and how it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from hop_core.config import Config, first_problem
from hop_core.durable_files import replace_file
from hop_core.errors import TrajectoryError
from hop_sim.trajectories.depth.codes import STEP_M
from hop_sim.trajectories.depth.recipe import DepthRecipe
from hop_sim.trajectories.rows import TrackRow

DEPTH_DIR = "depth"
RECORD_FILE = f"{DEPTH_DIR}/commit.json"
COMMAND = "hop trajectories render-depth"


class DepthRecord(Config):
    """The commit of depth/; arrays may be longer than it says, what is beyond does not exist.

    Attributes:
        format, version: of depth/.
        step_m: of the codes.
        trajectories: how many of the store's have depth, from the first on.
        frames: of all of them.
        content: 16 hex digits of their tracks, in the store's order; see `shown_content`.
        recipe: how it was rendered.
        software: versions when it was begun.
    """

    format: Literal["hop-depth"] = "hop-depth"
    version: Literal[1] = 1
    step_m: float = STEP_M
    trajectories: int = Field(ge=0)
    frames: int = Field(ge=0)
    content: str
    recipe: DepthRecipe
    software: dict[str, str]


def shown_content(tracks: Iterable[TrackRow], trajectories: int) -> str:
    """Return 16 hex digits of the tracks that the first `trajectories` of a store are of.

    Rows of depth/ and of frames/ have equal numbers, so the order of the tracks counts. Tracks that
    are added later change nothing.
    """
    shown = (
        f"{row.info.name} {row.sha256}\n"
        for row in tracks
        if row.trajectories and row.first_trajectory < trajectories
    )
    return hashlib.sha256("".join(shown).encode()).hexdigest()[:16]


def parse_record(content: bytes, address: str) -> DepthRecord:
    """Return the record in `content`, of the store at `address`.

    Raises:
        TrajectoryError: it is damaged, or of another version.
    """
    try:
        record = DepthRecord.model_validate_json(content)
    except ValidationError as error:
        raise TrajectoryError(
            f"{address}/{RECORD_FILE}: {first_problem(error)}; it is damaged or of another "
            f"version: {anew(address)}"
        ) from error
    if record.step_m != STEP_M:
        raise TrajectoryError(
            f"{address}/{RECORD_FILE}: step_m: is {record.step_m}, this software reads {STEP_M}: "
            f"{anew(address)}"
        )
    return record


def write_record(root: Path, record: DepthRecord) -> None:
    """Put `record` in force in the store at `root`."""
    replace_file(root / RECORD_FILE, (record.model_dump_json(indent=1) + "\n").encode())


def anew(address: str) -> str:
    """Return what to do about depth that cannot be used."""
    return f"remove {address}/{DEPTH_DIR} and run {COMMAND} {address}"
