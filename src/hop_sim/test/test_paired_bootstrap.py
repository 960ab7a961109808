"""Paired differences: known cases, and what seeds and pairing do to the interval."""

import numpy as np
import pytest

from hop_core.errors import EvaluationError
from hop_sim.paired_bootstrap import (
    ArmOutcomes,
    differences_to_first,
    mean_success,
    paired_difference,
)
from hop_sim.statistics import rate_of, sign_test


def arm(*rows: str) -> ArmOutcomes:
    """One checkpoint a row, '1' for success; states are 0, 1, 2, …"""
    return {f"seed {i}": {n: c == "1" for n, c in enumerate(row)} for i, row in enumerate(rows)}


def test_one_state_in_ten_that_differs_gives_the_binomial_interval() -> None:
    """The difference is Binomial(10, 0.1) / 10: 2.5 % and 97.5 % quantiles are 0 and 0.3."""
    found = paired_difference(arm("1111100000"), arm("1111000000"))
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((0.0, 0.3))
    assert not found.shown
    assert found.as_dict()["over"] == "states"


def test_pairing_removes_what_the_states_do_alike() -> None:
    """49 of 100 against 29 of the same: paired the sign is sure, of other states it is less so."""
    better, worse = "1" * 49 + "0" * 51, "1" * 29 + "0" * 71
    paired = paired_difference(arm(better), arm(worse))
    crossed = paired_difference(arm(better), arm(worse[::-1]))
    assert paired.value == crossed.value == pytest.approx(0.2)
    assert paired.shown
    assert crossed.high - crossed.low > 1.5 * (paired.high - paired.low)


def test_seeds_that_disagree_widen_the_interval() -> None:
    """Three seeds with 1, 1 and 0: the arm's mean is Binomial(3, 2/3) / 3, so it may well be 1/3.

    All states alike leave the seeds alone to matter.
    """
    good = paired_difference(arm("1111", "1111", "0000"), arm("0000"))
    assert good.value == pytest.approx(2 / 3)
    assert (good.low, good.high) == pytest.approx((0.0, 1.0))  # P(no good seed drawn) is 1 / 27
    assert good.seeds == (3, 1)
    assert good.as_dict()["over"] == "states and one arm's training seeds"
    alike = paired_difference(arm(*["1" * 8] * 3), arm(*["0" * 8] * 3))
    assert alike.as_dict()["over"] == "states and training seeds"
    assert (alike.low, alike.high) == (1.0, 1.0)
    assert alike.shown


def test_a_few_wins_without_a_loss_may_be_chance() -> None:
    """Four to none: resampled 0 is never reached, but chance alone does it in 2 of 16 cases."""
    few = paired_difference(arm("1111" + "0" * 96), arm("0" * 100))
    assert few.low > 0.0
    assert few.chance == pytest.approx(2 / 16)
    assert not few.shown
    assert paired_difference(arm("1" * 6 + "0" * 94), arm("0" * 100)).shown
    for first, second in ((2, 1), (3, 3)):  # the same few states, won by several seeds
        wins, none = ["1111" + "0" * 96] * first, ["0" * 100] * second
        few = paired_difference(arm(*wins), arm(*none))
        assert few.low > 0.0
        assert not few.shown


def test_a_state_is_won_by_the_greater_share_of_checkpoints() -> None:
    """Of three to two checkpoints: 2/3 and 1/2, 1/3 and 1/2, all and all, 2/3 and 0."""
    first, second = arm("1111", "1011", "0010"), arm("1110", "0010")
    assert paired_difference(first, second).chance == sign_test(2, 1)


def test_outcomes_that_are_all_alike_have_wilsons_interval_over_states() -> None:
    found, wilson = mean_success(arm("0" * 100, "0" * 100, "0" * 100)), rate_of(0, 100)
    assert (found.low, found.high) == (wilson.low, wilson.high)


def test_the_mean_of_one_checkpoint_has_about_wilsons_interval() -> None:
    found, wilson = mean_success(arm("1" * 60 + "0" * 40)), rate_of(60, 100)
    assert found.value == wilson.value
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.02)


def test_an_interval_holds_the_truth_about_as_often_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two arms of three equally good seeds on 60 states: 0 is inside in nearly all of 100 tries."""
    monkeypatch.setattr("hop_sim.paired_bootstrap.RESAMPLES", 500)
    rng, inside = np.random.default_rng(0), 0
    for _ in range(100):
        arms = [
            {s: dict(enumerate(rng.random(60) < 0.5)) for s in ("0", "1", "2")} for _ in range(2)
        ]
        inside += not paired_difference(arms[0], arms[1]).shown
    assert inside >= 88


def test_the_same_outcomes_have_the_same_interval() -> None:
    first, second = arm("1101001110", "1001101100"), arm("0101001010", "0000111100")
    assert paired_difference(first, second) == paired_difference(first, second)
    assert mean_success(first) == mean_success(first)


def test_the_first_arm_is_compared_with_each_other() -> None:
    table = {"ours": arm("1110"), "scratch": arm("1000"), "blind": arm("0000")}
    found = differences_to_first(table)
    assert {name: each.value for name, each in found.items()} == {"scratch": 0.5, "blind": 0.75}


def test_outcomes_that_are_not_paired_are_refused() -> None:
    with pytest.raises(EvaluationError, match="3 states of one checkpoint, 4 of another"):
        paired_difference(arm("1111"), arm("111"))
    with pytest.raises(EvaluationError, match="not paired"):
        mean_success({"0": {1: True}, "1": {2: True}})
    for empty in ({}, {"0": {}}):
        with pytest.raises(EvaluationError, match="no outcomes"):
            paired_difference(empty, arm("1"))
