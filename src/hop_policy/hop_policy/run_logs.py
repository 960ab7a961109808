"""Curves of a run for other programs: TensorBoard and Weights & Biases, imported when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from hop_core.errors import ConfigError
from hop_policy.train_config import LogName, TrainConfig


class RunLog(Protocol):
    """Takes figures by step."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Keeps `values`, by name, of `step`."""

    def close(self) -> None:
        """Writes what is held back."""


class TensorBoardLog:
    """Event files in `tensorboard/` of the run."""

    def __init__(self, out: Path, config: TrainConfig, step: int) -> None:
        """Opens them; what an earlier process wrote after `step` is hidden."""
        module = _import("torch.utils.tensorboard", "tensorboard")
        self._writer = module.SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)
        self._writer.add_text("config", f"```\n{config.model_dump_json(indent=2)}\n```", step)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Keeps `values` of `step`."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes what is held back."""
        self._writer.close()


class WandbLog:
    """A run at Weights & Biases; project and account are those of its environment variables."""

    def __init__(self, out: Path, config: TrainConfig, step: int) -> None:
        """Opens it; a resumed run is a new one of the same name, from `step` on."""
        module = _import("wandb", "wandb")
        self._run = module.init(dir=str(out), name=out.name, config=config.model_dump(mode="json"))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Keeps `values` of `step`."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Writes what is held back."""
        self._run.finish()


_LOGS: dict[LogName, type[TensorBoardLog] | type[WandbLog]] = {
    "tensorboard": TensorBoardLog,
    "wandb": WandbLog,
}


def open_logs(names: Sequence[LogName], out: Path, config: TrainConfig, step: int) -> list[RunLog]:
    """Returns the logs `names` of the run in `out`, which goes on after `step`.

    Raises:
        ConfigError: a package is not installed.
    """
    return [_LOGS[name](out, config, step) for name in names]


def _import(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"logs: {package} is not installed; install it (pip install {package}) or leave it out"
        ) from error
