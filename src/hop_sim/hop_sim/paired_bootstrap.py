"""Differences of success between arms on paired states, with intervals over states and seeds.

An arm is a way of making policies; its checkpoints differ in their training seed alone. All of them
are rolled out on the same start states, so states pair the arms, while seeds are drawn anew for
each arm: both are resampled, each on its own (two crossed factors).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hop_core.errors import EvaluationError
from hop_sim.statistics import rate_of, sign_test

ArmOutcomes = Mapping[str, Mapping[int, bool]]
"""Of one arm: {training seed or checkpoint: {start state: success}}."""
OutcomeTable = Mapping[str, ArmOutcomes]
"""{arm: {training seed or checkpoint: {start state: success}}}."""
RESAMPLES = 10_000
_SEED = 0  # of the resampling: the same outcomes have the same interval
_LOW, _HIGH = 0.025, 0.975
_CHANCE = 0.05


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval.

    Attributes:
        value: from all outcomes, each once.
        low, high: the percentile interval.
        seeds: training seeds of the arm, or of both arms; an arm of one is not resampled over
            seeds, and the interval then tells nothing about another training run of it.
        states: start states.
        chance: of two arms, the exact sign test over states, each by the means over the arms'
            seeds: how probable as uneven a split is if neither is better. Resampling a few wins
            without a loss never finds 0, however many seeds have them.
    """

    value: float
    low: float
    high: float
    seeds: tuple[int, ...]
    states: int
    chance: float | None = None

    @property
    def shown(self) -> bool:
        """Whether a difference has a sign: the interval excludes 0, and chance is below 0.05."""
        excludes_zero = self.low > 0.0 or self.high < 0.0
        return excludes_zero and (self.chance is None or self.chance < _CHANCE)

    @property
    def over(self) -> str:
        """What was resampled: start states, and training seeds of the arms that have several."""
        several = sum(count > 1 for count in self.seeds)
        if several == 0:
            return "states"
        whose = "" if several == len(self.seeds) else "one arm's "
        return f"states and {whose}training seeds"

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return {
            "value": round(self.value, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "shown": self.shown,
            "chance": None if self.chance is None else round(self.chance, 4),
            "training_seeds": list(self.seeds),
            "states": self.states,
            "over": self.over,
        }


def paired_difference(arm: ArmOutcomes, other: ArmOutcomes) -> Interval:
    """Return the mean success of `arm` less that of `other`.

    Raises:
        EvaluationError: an arm is empty, or not every checkpoint was rolled out on the same states.
    """
    states = _common_states(arm, other)
    first, second = _matrix(arm, states), _matrix(other, states)
    rng = np.random.default_rng(_SEED)
    weight = _weights(rng, len(states), RESAMPLES)
    difference = _resampled(rng, first, weight) - _resampled(rng, second, weight)
    won, lost = _won_and_lost(first, second)
    value, seeds = float(first.mean() - second.mean()), (len(first), len(second))
    return _interval(value, difference, seeds, len(states), sign_test(won, lost))


def mean_success(arm: ArmOutcomes) -> Interval:
    """Return the mean success of `arm` over its checkpoints and states; see `paired_difference`.

    With one checkpoint the Wilson interval of `hop_sim.statistics` says more. Where all outcomes
    are alike resampling finds no spread: the interval is then Wilson's over the states.
    """
    states = _common_states(arm)
    outcomes = _matrix(arm, states)
    if outcomes.min() == outcomes.max():
        rate = rate_of(int(outcomes[0].sum()), len(states))
        return Interval(rate.value, rate.low, rate.high, (len(outcomes),), len(states))
    rng = np.random.default_rng(_SEED)
    means = _resampled(rng, outcomes, _weights(rng, len(states), RESAMPLES))
    return _interval(float(outcomes.mean()), means, (len(outcomes),), len(states))


def differences_to_first(table: OutcomeTable) -> dict[str, Interval]:
    """Return {other arm: success of the table's first arm less that of the other one}.

    Errors are those of `paired_difference`.
    """
    (_, first), *others = table.items()
    return {name: paired_difference(first, arm) for name, arm in others}


def _common_states(*arms: ArmOutcomes) -> list[int]:
    """Return the states on which all checkpoints of all arms were rolled out.

    Raises:
        EvaluationError: there are none, or a checkpoint has others.
    """
    checkpoints = [outcomes for arm in arms for outcomes in arm.values()]
    if not all(arms) or not checkpoints[0]:
        raise EvaluationError("there are no outcomes to compare; roll out every arm first")
    states = sorted(checkpoints[0])
    for outcomes in checkpoints[1:]:
        if sorted(outcomes) != states:
            raise EvaluationError(
                f"outcomes are not paired: {len(outcomes)} states of one checkpoint, {len(states)} "
                f"of another, are not the same ones; roll all of them out on the same seeds"
            )
    return states


def _matrix(arm: ArmOutcomes, states: list[int]) -> np.ndarray:
    """Return success (S, N) of each checkpoint on each state as 0 or 1."""
    return np.array([[outcomes[state] for state in states] for outcomes in arm.values()], float)


def _won_and_lost(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """Return the states on which more, and fewer, of the first arm's checkpoints succeed.

    Outcomes are (S, N) 0 or 1; of unlike numbers of checkpoints, shares of them are compared.
    """
    ahead = first.sum(axis=0) * len(second) - second.sum(axis=0) * len(first)
    return int((ahead > 0).sum()), int((ahead < 0).sum())


def _weights(rng: np.random.Generator, count: int, resamples: int) -> np.ndarray:
    """Return (resamples, count): how often each of `count` things is drawn, over `count`."""
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=resamples)
    return np.asarray(drawn / count)


def _resampled(rng: np.random.Generator, outcomes: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the means (R,) of outcomes (S, N) under states' weights (R, N) and seeds' own."""
    per_seed = state @ outcomes.T
    return np.asarray((per_seed * _weights(rng, len(outcomes), len(state))).sum(axis=1))


def _interval(
    value: float,
    drawn: np.ndarray,
    seeds: tuple[int, ...],
    states: int,
    chance: float | None = None,
) -> Interval:
    low, high = np.quantile(drawn, [_LOW, _HIGH])
    return Interval(value, float(low), float(high), seeds, states, chance)
