"""Which tasks there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hop_core.config import config_path, load_config
from hop_core.errors import ConfigError
from hop_core.robot_config import TableConfig
from hop_sim.tasks.grasp_drop import GraspDrop, GraspDropConfig
from hop_sim.tasks.grasp_lift import GraspLift, GraspLiftConfig
from hop_sim.tasks.grasp_pour import GraspPour, GraspPourConfig
from hop_sim.tasks.task import Task, TaskConfig

TASKS: dict[str, tuple[Callable[[Any, TableConfig], Task], type[TaskConfig]]] = {
    "grasp_lift": (GraspLift, GraspLiftConfig),
    "grasp_lift_can": (GraspLift, GraspLiftConfig),
    "grasp_drop": (GraspDrop, GraspDropConfig),
    "grasp_pour": (GraspPour, GraspPourConfig),
}
"""Class and configuration of each task."""


def load_task(name: str, table: TableConfig, config_dir: Path | str | None = None) -> Task:
    """Return the task `name` with the numbers of `config/tasks/<name>.yaml`.

    Raises:
        ConfigError: unknown task, or its configuration breaks a rule.
    """
    if name not in TASKS:
        raise ConfigError(f"unknown task '{name}'; tasks: {', '.join(sorted(TASKS))}")
    task, config = TASKS[name]
    return task(load_config(config_path(f"tasks/{name}.yaml", config_dir), config), table)
