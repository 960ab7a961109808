"""What each step of a training run learns from, and the loss that it then minimises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hop_policy.aim import AimBatch
from hop_policy.augment import Augmenter
from hop_policy.contract import PolicyContract
from hop_policy.model import PolicyModel
from hop_policy.objective import acting_losses, aim_loss
from hop_policy.segments import WHOLE, SegmentBatch, Share
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData


@dataclass(frozen=True)
class Lesson:
    """One step's batches, augmented; at least one of them is there.

    Attributes:
        acting: segments that teach what to do; None while a run only learns to see.
        aiming: frames that teach where hands go next; None where the run does not teach it.
    """

    acting: SegmentBatch | None
    aiming: AimBatch | None

    @property
    def windows(self) -> int:
        """How many windows of history it holds."""
        return 0 if self.acting is None else len(self.acting.inside)


class Lessons:
    """The lessons of a run: a function of its configuration, data and step."""

    def __init__(
        self,
        config: TrainConfig,
        contract: PolicyContract,
        data: TrainData,
        proprio_std: Tensor,
        share: Share = WHOLE,
    ) -> None:
        """Keeps the data; `proprio_std` (23,) is the training set's, policy units."""
        self.config, self.data, self.share = config, data, share
        self._augment = Augmenter(config.augment, contract, proprio_std, config.seed, share)
        self._act = torch.compile(acting_losses) if config.compile else acting_losses

    def draw(self, step: int, acts: bool) -> Lesson:
        """Returns the lesson of `step`; unless the run `acts`, of aims alone where it has them."""
        acting = aiming = None
        if self.data.aims is not None:
            aiming = self._augment.aims(self.data.aims.batch(step, self.share), step)
        if aiming is None or acts:
            acting = self._augment(self.data.train.batch(step, self.share), step)
        return Lesson(acting, aiming)

    def losses(self, model: PolicyModel, lesson: Lesson) -> dict[str, Tensor]:
        """Returns the loss () of `model` as `train`, and its terms: `aim`, `act`, `foresight`."""
        config = self.config
        losses: dict[str, Tensor] = {}
        if lesson.aiming is not None:
            losses["aim"] = config.aim_weight * aim_loss(model, lesson.aiming)
        summands = list(losses.values())
        if lesson.acting is not None:
            weight = config.foresight_weight
            acting = self._act(model, lesson.acting, config.cut, config.loss_units, weight)
            losses |= acting
            summands.append(torch.stack(list(acting.values())).sum())
        return {"train": torch.stack(summands).sum(), **losses}
