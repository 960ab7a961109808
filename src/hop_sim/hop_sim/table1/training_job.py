"""Jobs that train: their command, how they go on, and whether they can be configured at all."""

from __future__ import annotations

from pathlib import Path

from hop_core.config import config_path
from hop_policy.checkpoint_files import TRAINING_STATE
from hop_policy.train_options import configured
from hop_sim.table1.config import BudgetConfig, Overrides
from hop_sim.table1.jobs import Job, command, settings_of


def training_job(
    name: str,
    what: tuple[object, ...],
    how: tuple[object, ...],
    budget: BudgetConfig,
    out: Path,
    changes: Overrides | None = None,
) -> Job:
    """Return the job of one training run, which goes on where it was stopped.

    `what` is the command with the data that it learns from, which must be named again to go on;
    `how` is what a run that goes on knows of itself.
    """
    texts = _texts(budget, changes)
    end = ("-o", out, "--max-steps", budget.max_steps)
    argv = command(*what, *how, "--config", budget.config, *end, *(texts and ("--set", *texts)))
    again = command(*what, *end, "--resume")
    settings = settings_of(budget.config, "policy.yaml")
    return Job(name, argv, out / TRAINING_STATE, again, settings)


def require_configurable(budget: BudgetConfig, changes: Overrides | None = None) -> None:
    """Pass if a training of that budget, with `changes`, can be configured.

    Raises:
        ConfigError: the file or a value is not usable.
    """
    configured(config_path(budget.config), _texts(budget, changes))


def _texts(budget: BudgetConfig, changes: Overrides | None) -> list[str]:
    """Values of the configuration for --set."""
    values = {**budget.overrides, **(changes or {})}
    return [f"{key}={'null' if value is None else value}" for key, value in values.items()]
