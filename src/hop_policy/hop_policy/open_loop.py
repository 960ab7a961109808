"""How far a policy's answers lie from recorded labels, tick by tick, along recorded histories.

The robot follows the recording, whatever the policy answers; so this tells how well the policy has
learnt the demonstrator, not whether it would do the task.

A policy answers each tick with one target, so it has no horizon of its own. Its answer at tick t is
compared with the labels of t and of h ticks later: the h of the smallest error tells how far ahead
it acts. Copying the previous label acts at h = -1, and the posture further behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import ARM, HAND
from hop_core.errors import BagError
from hop_policy.model import PolicyModel
from hop_policy.objective import Validation

HORIZONS = (-1, 0, 1, 2, 5, 10, 15)
"""Ticks from the answer to the label that it is compared with."""
_HISTORY_EDGES = (1, 2, 3, 5, 9, 17, 33)

Answers = Mapping[str, Sequence[np.ndarray]]
"""{agent: what it answers (T, 23) [rad] at the ticks of each episode}."""


@dataclass(frozen=True)
class OpenLoopErrors:
    """Mean absolute errors [rad] of one agent.

    Attributes:
        joint_rad: (23,) against the label of the same tick, over all ticks.
        horizon_rad: (H, 23) against the label that many ticks later, over the ticks that have a
            label at every horizon.
        history_rad: {"3-4": (23,)} against the label of the same tick, by ticks since the
            episode's start, the present one included.
    """

    joint_rad: np.ndarray
    horizon_rad: np.ndarray
    history_rad: Mapping[str, np.ndarray]

    def acts_ahead(self, horizons: Sequence[int]) -> int:
        """Return the horizon of the smallest error."""
        return horizons[int(self.horizon_rad.mean(axis=1).argmin())]

    def as_dict(self, joint_names: Sequence[str], horizons: Sequence[int]) -> dict[str, object]:
        """Return the figures for JSON."""
        return {
            **_parts(self.joint_rad),
            "joint_rad": dict(zip(joint_names, _rounded(self.joint_rad), strict=True)),
            "acts_ahead_ticks": self.acts_ahead(horizons),
            "horizons": {
                str(h): _parts(row) | {"joint_rad": _rounded(row)}
                for h, row in zip(horizons, self.horizon_rad, strict=True)
            },
            "history": {ticks: _parts(row) for ticks, row in self.history_rad.items()},
        }


def answers_of(
    models: Mapping[str, PolicyModel], validations: Mapping[str, Validation]
) -> dict[str, list[np.ndarray]]:
    """Return what each policy answers, with its own vision and blind, and what copying would.

    Args:
        models: by name.
        validations: of each model, on the same episodes; with a single one, nobody is blind.
    """
    found: dict[str, list[np.ndarray]] = {}
    for name, model in models.items():
        validation = validations[name]
        found[name] = validation.in_rad(validation.predictions(model))
        if len(validation.store.lengths) > 1:
            blind = validation.predictions(model, foreign_vision=True)
            found[f"{name}, blind"] = validation.in_rad(blind)
    any_of_them = next(iter(validations.values()))
    for name, copies in any_of_them.copies().items():
        found[name] = any_of_them.in_rad(copies)
    return found


def open_loop_errors(
    answers: Answers, labels: Sequence[np.ndarray], horizons: Sequence[int] = HORIZONS
) -> dict[str, OpenLoopErrors]:
    """Return the errors of each agent.

    Args:
        answers: of each agent.
        labels: (T, 23) [rad] of each episode.
        horizons: ticks ahead, any order.

    Raises:
        BagError: no episode is long enough to have labels at every horizon.
    """
    behind, ahead = max(0, -min(horizons)), max(0, *horizons)
    if max(len(label) for label in labels) <= behind + ahead:
        raise BagError(
            f"no episode is longer than the {behind + ahead} ticks that the horizons span; "
            "ask for nearer --horizons or longer recordings"
        )
    return {name: _errors(each, labels, horizons, behind, ahead) for name, each in answers.items()}


def _errors(
    answers: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    horizons: Sequence[int],
    behind: int,
    ahead: int,
) -> OpenLoopErrors:
    now = [np.abs(answer - label) for answer, label in zip(answers, labels, strict=True)]
    tick = np.concatenate([np.arange(1, len(each) + 1) for each in now])
    error = np.concatenate(now)
    group = np.digitize(tick, _HISTORY_EDGES) - 1
    history = {_span(i): error[group == i].mean(axis=0) for i in np.unique(group).tolist()}
    by_horizon = []
    for h in horizons:
        later = [
            np.abs(answer[behind : len(label) - ahead] - label[behind + h : len(label) - ahead + h])
            for answer, label in zip(answers, labels, strict=True)
            if len(label) > behind + ahead
        ]
        by_horizon.append(np.concatenate(later).mean(axis=0))
    return OpenLoopErrors(error.mean(axis=0), np.stack(by_horizon), history)


def _span(group: int) -> str:
    """Return which ticks since the start a group of the history holds, such as "3-4"."""
    first = _HISTORY_EDGES[group]
    if group + 1 == len(_HISTORY_EDGES):
        return f"{first}+"
    last = _HISTORY_EDGES[group + 1] - 1
    return str(first) if last == first else f"{first}-{last}"


def _parts(joint_rad: np.ndarray) -> dict[str, object]:
    return {
        "arm_rad": round(float(joint_rad[ARM].mean()), 6),
        "hand_rad": round(float(joint_rad[HAND].mean()), 6),
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
