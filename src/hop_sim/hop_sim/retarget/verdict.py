"""Which attempts are kept, and why the others are not (paper, section III-B)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from hop_sim.retarget import soundness
from hop_sim.retarget.config import PruneConfig
from hop_sim.retarget.engine import Rollouts

REASONS = (*soundness.REASONS, "saturation", "error")
"""Why an attempt is kept by neither reading; each is counted once."""


@dataclass(frozen=True)
class Verdict:
    """How B attempts ended.

    Attributes:
        min_error_m: (B,) the smallest keypoint error of any frame of the track; NaN if it ended
            before.
        share_below: (B,) share of the contact frames whose error is below the limit.
        kept_any: (B,) sound, and that minimum is below the limit: the paper's words.
        kept_contact: (B,) sound, and enough contact frames are: the default reading.
        reason: (B,) int, number in REASONS of why it is kept by neither; -1: it is kept.
    """

    min_error_m: np.ndarray
    share_below: np.ndarray
    kept_any: np.ndarray
    kept_contact: np.ndarray
    reason: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """(B,) kept by one of the readings."""
        return np.asarray(self.kept_any | self.kept_contact)

    def rejections(self) -> dict[str, int]:
        """Return how many attempts each reason kept out."""
        counts = np.bincount(self.reason[self.reason >= 0], minlength=len(REASONS))
        return {name: int(count) for name, count in zip(REASONS, counts, strict=True)}


def judge(rollouts: Rollouts, config: PruneConfig) -> Verdict:
    """Return the verdicts on `rollouts`; a track without contact is judged by all its frames."""
    followed = np.arange(len(rollouts.contact)) >= rollouts.lead_in
    frames = rollouts.contact if rollouts.contact.any() else followed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of rows that are NaN throughout
        min_error_m = np.nanmin(rollouts.error_m[:, followed], axis=1)
    share_below = (rollouts.error_m[:, frames] < config.error_m).mean(axis=1)
    saturated = rollouts.saturation_share > config.saturation_share
    sound = (rollouts.reason < 0) & ~saturated
    kept_any = sound & (min_error_m < config.error_m)
    kept_contact = sound & (share_below >= config.contact_share)
    reason = np.where(saturated, REASONS.index("saturation"), REASONS.index("error"))
    reason = np.where(rollouts.reason >= 0, rollouts.reason, reason)
    return Verdict(
        min_error_m=min_error_m,
        share_below=share_below,
        kept_any=kept_any,
        kept_contact=kept_contact,
        reason=np.where(kept_any | kept_contact, -1, reason),
    )
