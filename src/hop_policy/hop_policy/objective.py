"""What training minimises, and what validation reports: L1 errors, beside those of copying."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from hop_core.embodiment import ARM, HAND
from hop_policy.aim import UNIT_M, AimBatch, AimSampler
from hop_policy.contract import PolicyContract
from hop_policy.frame_store import FrameStore
from hop_policy.model import PolicyModel
from hop_policy.observation import JointScaling
from hop_policy.segments import SegmentBatch, Segmenting
from hop_policy.train_config import LossUnits

Metrics = dict[str, float]
AIM_ERRORS = ("aim_right_mm", "aim_ahead_mm", "aim_up_mm")
"""Metrics that are there where an aim is taught."""


def predict(model: PolicyModel, batch: SegmentBatch, cut: Segmenting) -> tuple[Tensor, Tensor]:
    """Returns predicted and true actions (N, context, 23), policy units.

    N is the number of windows that end inside their episodes. Each frame is encoded once.
    """
    return _predict(model, _encode(model, batch), batch, cut)


def acting_losses(
    model: PolicyModel,
    batch: SegmentBatch,
    cut: Segmenting,
    units: LossUnits,
    foresight_weight: float = 0.0,
) -> dict[str, Tensor]:
    """Returns the terms () of the loss of acting, which is their sum, by name.

    `act` is the mean L1 error over all steps of all windows. Source: HOP paper, III-C. Where the
    cut has foresight, `foresight` is the weighted error of what the vision tokens foresee.
    """
    unit = model.action_std if units == "whitened" else torch.ones_like(model.action_std)
    tokens = _encode(model, batch)
    predicted, action = _predict(model, tokens, batch, cut)
    error = (predicted - action).abs() / unit * batch.valid[..., None]
    losses = {"act": error.sum() / (batch.counted * action.shape[-1])}
    if cut.foresight and foresight_weight:
        foreseen = model.foresee(tokens) - batch.future.flatten(0, 1)
        losses["foresight"] = foresight_weight * (foreseen.abs() / unit).mean()
    return losses


def aim_loss(model: PolicyModel, batch: AimBatch) -> Tensor:
    """Returns the mean L1 error of where the vision tokens tell that hands go next."""
    told = model.aim(batch.vision, batch.table_motion, batch.displacement)
    return (told - batch.aim).abs().mean()


def _encode(model: PolicyModel, batch: SegmentBatch) -> Tensor:
    """Returns the tokens (S * F, 2, W) of all frames."""
    moved = None if batch.table_motion is None else batch.table_motion.flatten(0, 1)
    return model.encode(batch.proprio.flatten(0, 1), batch.vision.flatten(0, 1), moved)


def _predict(
    model: PolicyModel, tokens: Tensor, batch: SegmentBatch, cut: Segmenting
) -> tuple[Tensor, Tensor]:
    segments, frames = batch.proprio.shape[:2]
    windows = cut.unfold(tokens.view(segments, frames, *tokens.shape[1:]))[batch.inside]
    predicted = model.decode(windows, batch.valid if batch.padded else None)
    return predicted, cut.unfold(batch.action)[batch.inside]


class Validation:
    """Errors on held-out episodes, as deployed: one prediction a tick, with all its history.

    Reported are means over ticks and joints: `scaled` [policy units], `whitened` [deviations of the
    label], `arm_rad` and `hand_rad` [rad]; and, where an aim is taught, over the frames that have
    one: how far it is off, `AIM_ERRORS`.
    """

    def __init__(
        self,
        store: FrameStore,
        contract: PolicyContract,
        context: int,
        action_std: Tensor,
        aims: AimSampler | None = None,
    ) -> None:
        """Keeps the episodes.

        Args:
            store: frames of the episodes.
            contract: what policies see.
            context: of the network.
            action_std: (23,) the training set's, policy units.
            aims: frames of these episodes that have an aim; None: it is not judged.
        """
        self.store, self.contract, self.context = store, contract, context
        self._aims = aims
        self._action_std = action_std
        span = np.array(contract.policy_upper) - np.array(contract.policy_lower)
        self._rad = torch.tensor(0.5 * span, dtype=torch.float32, device=store.device)

    def __call__(self, model: PolicyModel) -> Metrics:
        """Returns the errors of `model`."""
        return {**self._mean_error(self.predictions(model)), **self._aim_error(model)}

    def blind(self, model: PolicyModel) -> Metrics | None:
        """Returns its errors on the vision of another episode; None where there is no other."""
        if len(self.store.lengths) < 2:
            return None
        return self._mean_error(self.predictions(model, foreign_vision=True))

    def baselines(self) -> dict[str, Metrics]:
        """Returns the errors of copying the present posture, or the previous label."""
        return {name: self._mean_error(copies) for name, copies in self.copies().items()}

    @torch.inference_mode()
    def predictions(self, model: PolicyModel, foreign_vision: bool = False) -> list[Tensor]:
        """Returns what `model` answers (T, 23) at each tick of each episode, policy units.

        With `foreign_vision` it sees another episode; there must be one.
        """
        was_training = model.training
        model.eval()
        found, count = [], len(self.store.lengths)
        for i in range(count):
            batch, cut = self._whole(i)
            if foreign_vision:
                # Neighbours may follow the same track: the episode half way round rarely does.
                batch = self._with_vision_of((i + count // 2) % count, batch)
            found.append(predict(model, batch, cut)[0][:, -1])
        model.train(was_training)
        return found

    def labels(self) -> list[Tensor]:
        """Returns the labels (T, 23) of each episode, policy units."""
        return [self.store.action(self.store.episode(i)) for i in range(len(self.store.lengths))]

    def copies(self) -> dict[str, list[Tensor]]:
        """Returns what copying answers, as `predictions`: the posture, or the previous label."""
        copy_proprio, previous_label = [], []
        for i, action in enumerate(self.labels()):
            proprio = self.store.proprio(self.store.episode(i))
            copy_proprio.append(proprio)
            # Before the first tick there is no label: the posture stands in for it.
            previous_label.append(torch.cat([proprio[:1], action[:-1]]))
        return {"copy_proprio": copy_proprio, "previous_label": previous_label}

    def in_rad(self, actions: list[Tensor]) -> list[np.ndarray]:
        """Returns actions (T, 23) of each episode as joint angles [rad]."""
        scaling = JointScaling(self.contract)
        return [scaling.unscale(each.cpu().numpy()) for each in actions]

    @torch.inference_mode()
    def _aim_error(self, model: PolicyModel) -> Metrics:
        if self._aims is None:
            return {}
        was_training = model.training
        model.eval()
        off = torch.cat([(model.aim(b.vision) - b.aim)[:, :3].abs() for b in self._aims.all()])
        model.train(was_training)
        return dict(zip(AIM_ERRORS, (1e3 * UNIT_M * off.mean(0)).tolist(), strict=True))

    def _mean_error(self, predictions: list[Tensor]) -> Metrics:
        pairs = zip(predictions, self.labels(), strict=True)
        return self._summary(torch.cat([(answer - label).abs() for answer, label in pairs]))

    def _whole(self, episode: int) -> tuple[SegmentBatch, Segmenting]:
        cut = Segmenting(self.context, int(self.store.lengths[episode]), 1)
        return self.store.segments(np.array([episode]), np.array([0]), cut), cut

    def _with_vision_of(self, other: int, batch: SegmentBatch) -> SegmentBatch:
        vision = self._whole(other)[0].vision
        last = vision.shape[1] - 1
        frame = torch.arange(batch.vision.shape[1], device=vision.device).clamp_max(last)
        return replace(batch, vision=vision[:, frame])

    def _summary(self, error: Tensor) -> Metrics:
        rad = (error * self._rad).mean(0)
        return {
            "scaled": error.mean().item(),
            "whitened": (error / self._action_std).mean().item(),
            "arm_rad": rad[ARM].mean().item(),
            "hand_rad": rad[HAND].mean().item(),
        }
