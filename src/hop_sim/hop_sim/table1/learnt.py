"""What a finished training run tells of its validation losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hop_core.errors import CheckpointError
from hop_policy.checkpoint import METRICS, read_json


@dataclass(frozen=True)
class Learnt:
    """Validation losses of a training run, in its units.

    Attributes:
        units: "scaled" or "whitened".
        best, best_step: the least loss, and when.
        last, last_step: the one at the end of the budget.
        copied: of copying the posture, and the previous label.
        blind: with the vision of another episode; None where there is no other.
    """

    units: str
    best: float
    best_step: int
    last: float
    last_step: int
    copied: Mapping[str, float]
    blind: float | None


def read_learnt(checkpoint: Path) -> Learnt:
    """Return the losses of the training run in the directory `checkpoint`.

    Raises:
        CheckpointError: its metrics are missing or damaged.
    """
    metrics = read_json(checkpoint / METRICS)
    try:
        units, best, last = metrics["units"], metrics["best"], metrics["last"]
        blind = metrics.get("last_blind")
        return Learnt(
            units=units,
            best=best[units],
            best_step=best["step"],
            last=last[units],
            last_step=last["step"],
            copied={name: errors[units] for name, errors in metrics["baselines"].items()},
            blind=blind[units] if blind else None,
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{checkpoint / METRICS} is not of a training run of this version; train again"
        ) from error
