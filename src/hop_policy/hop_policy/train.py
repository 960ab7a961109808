"""The one trainer: pretraining and behaviour cloning differ in data and configuration alone.

Source: HOP paper, section III-C. A run lives in one checkpoint directory: the best weights by
validation loss, the last ones, and what resuming needs. Batch and augmentation are functions of
seed and step, so a run of `max_steps` that is killed and resumed gives, on a CPU, bit for bit the
losses of one that is not. With `max_minutes` the learning rate's schedule follows the clock.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hop_core.errors import CheckpointError
from hop_policy import checkpoint as ck
from hop_policy.contract import PolicyContract
from hop_policy.ranks import Ranks
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData
from hop_policy.train_progress import TrainProgress
from hop_policy.trainer import Trainer


def train(
    config: TrainConfig,
    contract: PolicyContract,
    data: TrainData,
    out: Path,
    *,
    init: Path | None = None,
    resume: bool = False,
    progress: TrainProgress | None = None,
    ranks: Ranks | None = None,
) -> dict[str, Any]:
    """Trains a policy into the directory `out`; returns its metrics.

    Args:
        config: what to do.
        contract: what the data was observed by.
        data: batches and held-out episodes.
        out: checkpoint directory, made if missing.
        init: checkpoint whose weights are the start; None starts anew.
        resume: continue the run in `out`.
        progress: where to show progress; None makes one.
        ranks: this process among those that train together; None is alone. The first of them
            validates and writes.

    Raises:
        ConfigError: the run cannot be shared out among `ranks`, or asks for what is not installed.
        CheckpointError: `out` holds a run already, or none to resume; `init` is not usable.
        ModelError: training diverged.
    """
    ranks = ranks or Ranks()
    ranks.require_divisible(config, aims=data.aims is not None)
    if not resume:
        require_free(out)
    ranks.wait()  # or the first would write before the others have looked
    trainer = Trainer(config, contract, data, out, ranks)
    if resume:
        trainer.resume()
    elif init is not None:
        trainer.initialise(init)
    with progress or TrainProgress(ranks.console()) as shown:
        return trainer.run(shown)


def require_free(out: Path) -> None:
    """Passes if a new run may be written into `out`.

    Raises:
        CheckpointError: there is a run already, or a checkpoint that came from elsewhere.
    """
    if (out / ck.TRAINING_STATE).exists():
        raise CheckpointError(
            f"{out} holds a run already; add --resume, or choose another output directory"
        )
    if (out / ck.METRICS).exists():
        raise CheckpointError(
            f"{out} holds a checkpoint that no run can go on with; choose another output directory"
        )
