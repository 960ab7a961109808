"""Processes that train together, as torchrun starts them: which one this is, and their means.

Each takes its share of every batch. Gradients are averaged by one all-reduce of all of them at
once: the network is 8 MB, less than one bucket of torch's own wrapper, so nothing would overlap.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from rich.console import Console
from torch import Tensor, distributed

from hop_core.errors import ConfigError
from hop_policy.segments import WHOLE, Share
from hop_policy.train_config import TrainConfig

_TIMEOUT = timedelta(hours=1)
"""The first process validates while the others wait."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; by default it is alone.

    Attributes:
        share: its part of each batch.
    """

    share: Share = WHOLE

    @property
    def first(self) -> bool:
        """Whether this is the process that validates, writes and prints."""
        return self.share.index == 0

    def console(self) -> Console:
        """Returns where progress goes: standard error, or nowhere."""
        return Console(stderr=True, quiet=not self.first)

    def require_divisible(self, config: TrainConfig, aims: bool) -> None:
        """Passes if a run by `config` can be shared out.

        Args:
            config: how the run goes.
            aims: whether it learns where hands go next.

        Raises:
            ConfigError: its batches cannot, or it ends by a clock, which is another in each
                process.
        """
        count = self.share.of
        shares = {"segments": config.segments}
        if aims:
            shares["aim_frames"] = config.aim_frames
        for name, shared in shares.items():
            if shared % count:
                raise ConfigError(
                    f"{name}: {shared} cannot be shared by {count} processes; "
                    f"choose a multiple of {count}"
                )
        if count > 1 and config.max_minutes is not None:
            raise ConfigError(
                f"max_minutes: {count} processes cannot follow one clock; "
                "give the budget in steps (--max-steps)"
            )

    def mean(self, values: Tensor) -> Tensor:
        """Returns the mean of `values` over all processes."""
        if self.share.of == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total / self.share.of

    def means(self, steps: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
        """Returns the mean of each figure () over the `steps` that have it and all processes."""
        by_name: dict[str, list[Tensor]] = {}
        for figures in steps:
            for name, value in figures.items():
                by_name.setdefault(name, []).append(value)
        return {
            name: self.mean(torch.stack(values).double().mean()).item()
            for name, values in by_name.items()
        }

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Sets each gradient to its mean over all processes."""
        if self.share.of > 1:
            gradients = [p.grad for p in parameters if p.grad is not None]
            flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
            parts = torch.split(flat, [gradient.numel() for gradient in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view(gradient.shape))  # which may lie channels last

    def command(self, verb: str, module: str, argv: Sequence[str]) -> list[str]:
        """Returns the command line that began this run: `hop VERB`, or torchrun with `module`."""
        if self.share.of == 1:
            return ["hop", verb, *argv]
        return ["torchrun", f"--nproc-per-node={self.share.of}", "-m", module, *argv]

    def wait(self) -> None:
        """Returns when all processes have come here."""
        self.mean(torch.zeros(1))


@contextmanager
def torchrun_ranks() -> Iterator[Ranks]:
    """Joins the processes that torchrun started beside this one; without torchrun it is alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group(timeout=_TIMEOUT)  # gloo for the CPU, NCCL for GPUs
    try:
        yield Ranks(Share(distributed.get_rank(), size))
    finally:
        distributed.destroy_process_group()
