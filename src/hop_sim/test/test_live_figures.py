"""Rates from counters, and when a cadence counts as broken."""

import pytest

from hop_core.errors import TwinError
from hop_sim.live_eval import PolicyPace, cadence_problem
from hop_sim.live_figures import rates_between, read_counters

FIRST = {
    "xarm: driver": {"ticks": "100", "missed": "0", "stamp_s": "5.0"},
    "allegro: driver": {"sets": "300", "missing_sets": "2", "stamp_s": "5.5"},
    "zed: camera": {"frames": "10", "stamp_s": "5.2"},
}
LAST = {
    "xarm: driver": {"ticks": "1300", "missed": "3", "stamp_s": "15.0"},
    "allegro: driver": {"sets": "3630", "missing_sets": "4", "stamp_s": "15.5"},
    "zed: camera": {"frames": "310", "stamp_s": "15.2"},
}
GOOD = {"policy_hz": 20.0, "arm_hz": 120.0, "hand_hz": 333.0, "ticks": 1000.0, "missed_ticks": 2.0}


def test_rates_are_differences_over_the_time_between() -> None:
    rates = rates_between(read_counters(FIRST), read_counters(LAST))
    assert rates == pytest.approx(
        {
            "arm_hz": 120.0,
            "arm_missed": 3.0,
            "hand_hz": 333.0,
            "hand_missed_sets": 2.0,
            "depth_hz": 30.0,
        }
    )


def test_runs_of_the_policy_add_up_by_their_ticks() -> None:
    pace = PolicyPace()
    for ticks, hz, missed, late_ms in (("100", "20", "1", "9.5"), ("300", "15", "2", "4")):
        pace.add(
            {
                "ticks": ticks,
                "policy_hz": hz,
                "missed_ticks": missed,
                "tick_to_target_p99_ms": late_ms,
            }
        )
    assert pace.figures() == {
        "policy_hz": pytest.approx(400 / (100 / 20 + 300 / 15)),
        "ticks": 400.0,
        "missed_ticks": 3.0,
        "tick_to_target_p99_ms": 9.5,
    }


def test_a_silent_driver_is_named() -> None:
    with pytest.raises(TwinError, match="no 'sets' of 'allegro: driver'"):
        read_counters({"xarm: driver": FIRST["xarm: driver"]})


def test_a_good_cadence_passes() -> None:
    assert cadence_problem(GOOD) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [("policy_hz", 19.0), ("arm_hz", 100.0), ("hand_hz", 250.0), ("missed_ticks", 30.0)],
)
def test_a_broken_cadence_names_what_broke(key: str, value: float) -> None:
    assert ("ticks were missed" if key == "missed_ticks" else key) in cadence_problem(
        {**GOOD, key: value}
    )
