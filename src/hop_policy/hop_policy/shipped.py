"""The checkpoints that come with the workspace."""

from __future__ import annotations

import os
from pathlib import Path

from hop_core.errors import CheckpointError

FOLDER = "checkpoints"
SHIPPED_TASK = "grasp_lift_can"
"""The task that is meant where none is named: a policy is shipped for it."""


def shipped_policy(task: str) -> Path:
    """Return the checkpoint that is shipped for `task`: installed, or in the source tree.

    Raises:
        CheckpointError: there is none.
    """
    found = _find(task)
    if found is None:
        raise CheckpointError(
            f"no checkpoint is shipped for the task '{task}'; pass one by --policy"
        )
    return found


def has_shipped_policy(task: str) -> bool:
    """Return whether a checkpoint is shipped for `task`."""
    return _find(task) is not None


def _find(task: str) -> Path | None:
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    folders = [Path(prefix) / "share" / "hop_policy" / FOLDER for prefix in prefixes if prefix]
    folders.append(Path(__file__).parents[1] / FOLDER)
    return next((folder / task for folder in folders if (folder / task).is_dir()), None)
