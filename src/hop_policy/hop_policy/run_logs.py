"""Curves of a run for other programs: TensorBoard and Weights & Biases, imported when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from hop_core.errors import ConfigError
from hop_policy.checkpoint import writing
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
        module, self._out = _module("tensorboard"), out
        with writing(out):
            self._writer = module.SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)
            self._writer.add_text("config", f"```\n{config.model_dump_json(indent=2)}\n```", step)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Keeps `values` of `step`."""
        with writing(self._out):
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes what is held back."""
        with writing(self._out):
            self._writer.close()


class WandbLog:
    """A run at Weights & Biases; project and account are those of its environment variables."""

    def __init__(self, out: Path, config: TrainConfig, step: int) -> None:
        """Opens it; a resumed run is a new one of the same name, from `step` on."""
        module, values = _module("wandb"), config.model_dump(mode="json")
        with _asking_wandb():
            self._run = module.init(dir=str(out), name=out.name, config=values)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Keeps `values` of `step`."""
        with _asking_wandb():
            self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Writes what is held back."""
        with _asking_wandb():
            self._run.finish()


_LOGS: dict[LogName, type[TensorBoardLog] | type[WandbLog]] = {
    "tensorboard": TensorBoardLog,
    "wandb": WandbLog,
}
_MODULES: dict[LogName, str] = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}


def open_logs(names: Sequence[LogName], out: Path, config: TrainConfig, step: int) -> list[RunLog]:
    """Returns the logs `names` of the run in `out`, made if missing, which goes on after `step`.

    Raises:
        ConfigError: a package is not installed, and nothing is made; or it refuses the run.
        CheckpointError: the disk is full, or `out` may not be written to.
    """
    for name in names:
        _module(name)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    return [_LOGS[name](out, config, step) for name in names]


def _module(name: LogName) -> Any:
    try:
        return import_module(_MODULES[name])
    except ImportError as error:
        raise ConfigError(
            f"logs: {name} is not installed; install it (pip install {name}) or leave it out"
        ) from error


@contextmanager
def _asking_wandb() -> Iterator[None]:
    """Tells what Weights & Biases cannot do.

    Raises:
        ConfigError: it has no login, no connection, or any other trouble.
    """
    try:
        yield
    except Exception as error:  # of kinds that only it has
        raise ConfigError(
            f"logs: wandb fails ({error}); log in (wandb login), keep its curves on this machine "
            "(WANDB_MODE=offline), or leave it out"
        ) from error
