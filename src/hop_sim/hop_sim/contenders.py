"""Which checkpoints are compared, what each is called, and which are the seeds of one arm."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hop_core.errors import CheckpointError, ConfigError
from hop_policy.checkpoint import WEIGHTS, load_checkpoint_config
from hop_policy.contract import VisionKind
from hop_policy.inference import form_taken
from hop_policy.path_names import unique_ends
from hop_policy.shipped import checkpoint_path
from hop_sim.evaluate import CONTROLS


@dataclass(frozen=True)
class Contender:
    """A checkpoint that is rolled out.

    Attributes:
        name: unique among those compared: the end of its path.
        arm: checkpoints of one arm differ in their training seed alone.
        checkpoint: its directory.
    """

    name: str
    arm: str
    checkpoint: Path

    @property
    def vision(self) -> VisionKind:
        """What it was trained to see.

        Raises:
            CheckpointError: it is no checkpoint.
        """
        return load_checkpoint_config(self.checkpoint).contract.vision


def parse_contenders(arguments: Sequence[str]) -> list[Contender]:
    """Return the contenders that a command line names.

    Args:
        arguments: directories, or names of shipped checkpoints, each an arm of its own, or
            ARM=DIRECTORY for those that are the seeds of one arm.

    Raises:
        ConfigError: a directory is named twice, or two arms have one name.
        CheckpointError: there is neither a directory nor a shipped checkpoint of a name.
    """
    named = [_split(argument) for argument in arguments]
    paths = [checkpoint_path(path).resolve() for _, path in named]
    for path, count in Counter(paths).items():
        if count > 1:
            raise ConfigError(f"the policy {path} is named {count} times; name each once")
    names = unique_ends(paths)
    for name in names:
        if name in CONTROLS:
            raise ConfigError(f"'{name}' is the name of a control; name the policy's folder apart")
    own = {name for name, (arm, _) in zip(names, named, strict=True) if not arm}
    if taken := own & {arm for arm, _ in named}:
        raise ConfigError(
            f"'{taken.pop()}' is both an arm and a checkpoint without one; name the arm of each "
            "(--policy ARM=DIRECTORY ...)"
        )
    return [
        Contender(name, arm or name, path)
        for name, (arm, _), path in zip(names, named, paths, strict=True)
    ]


def _split(argument: str) -> tuple[str, Path]:
    """Return (arm or "", directory) of ARM=DIRECTORY or DIRECTORY."""
    arm, equals, path = argument.partition("=")
    if equals and arm and path and "/" not in arm and not Path(argument).exists():
        return arm, Path(path)
    return "", Path(argument)


def checkpoint_identity(checkpoint: Path, weights: str = WEIGHTS) -> dict[str, object]:
    """Return what tells one trained policy from another: its hash, its training seed, its form.

    The hash is over configuration and `weights`, so that training on changes it. The seed is
    None where the checkpoint does not tell, as imported ones. The form is the one that runs: the
    exported one where there is one, whose outputs are not the eager ones to the bit.

    Raises:
        CheckpointError: it is no checkpoint, or its weights are missing.
    """
    config = load_checkpoint_config(checkpoint)
    digest = hashlib.sha256(config.hash.encode())
    try:
        digest.update((checkpoint / weights).read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"{checkpoint / weights} cannot be read: {error.strerror}; copy the whole directory"
        ) from error
    return {
        "checkpoint": digest.hexdigest()[:16],
        "training_seed": config.train.get("seed"),
        "form": form_taken(checkpoint, weights),
    }


def require_distinct(arms: Sequence[str], identities: Sequence[dict[str, object]]) -> None:
    """Pass if no arm holds the same checkpoint twice: copies are no training seeds.

    Raises:
        ConfigError: one does.
    """
    seen = Counter(
        (arm, identity["checkpoint"]) for arm, identity in zip(arms, identities, strict=True)
    )
    for (arm, _), count in seen.items():
        if count > 1:
            raise ConfigError(
                f"{count} checkpoints of the arm '{arm}' are copies of one another; the seeds of "
                "an arm are runs of their own"
            )
