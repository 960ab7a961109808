"""The checkpoints that come with the workspace."""

from __future__ import annotations

from pathlib import Path

from hop_core.config import share_folders
from hop_core.errors import CheckpointError

FOLDER = "checkpoints"
SHIPPED_TASK = "grasp_lift"
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


def checkpoint_path(path: Path) -> Path:
    """Return `path`, a home's `~` spelt out, or else the shipped checkpoint of that name.

    Raises:
        CheckpointError: there is neither; the shipped ones are named.
    """
    at = path.expanduser()
    found = at if at.exists() else _find(str(path))
    if found is None:
        names = {each.name for folder in _folders() if folder.is_dir() for each in folder.iterdir()}
        raise CheckpointError(
            f"{path} is neither a folder nor a shipped checkpoint ({', '.join(sorted(names))})"
        )
    return found


def _find(name: str) -> Path | None:
    return next((folder / name for folder in _folders() if (folder / name).is_dir()), None)


def _folders() -> list[Path]:
    installed = [share / FOLDER for share in share_folders("hop_policy")]
    return [*installed, Path(__file__).parents[1] / FOLDER]
