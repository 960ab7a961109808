"""Rates of a running graph, from two readings of the counters on /diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hop_core.errors import TwinError

Figures = Mapping[str, Mapping[str, str]]
"""Newest values by status name, such as "xarm: driver"."""
ARM, HAND, CAMERA = "xarm: driver", "allegro: driver", "zed: camera"
FIGURE_SOURCES = (ARM, HAND, CAMERA)
STAMP_KEY = "stamp_s"
"""Key under which the graph's client keeps the stamp of the message that brought the figures."""


@dataclass(frozen=True)
class Counter:
    """A count at a ROS time [s]."""

    count: int
    stamp_s: float

    def rate_since(self, first: Counter) -> float:
        """Return the rate [Hz] between `first` and this reading."""
        return (self.count - first.count) / max(self.stamp_s - first.stamp_s, 1e-9)


@dataclass(frozen=True)
class Counters:
    """The drivers' counters.

    Attributes:
        arm_ticks: deadlines that the arm's loop answered.
        arm_missed: deadlines that it skipped.
        hand_sets: position sets of the hand that came.
        hand_missing: sets that did not.
        frames: depth frames published.
    """

    arm_ticks: Counter
    arm_missed: Counter
    hand_sets: Counter
    hand_missing: Counter
    frames: Counter


def read_counters(figures: Figures) -> Counters:
    """Return the counters in `figures`.

    Raises:
        TwinError: a driver has not published any.
    """
    return Counters(
        arm_ticks=_counter(figures, ARM, "ticks"),
        arm_missed=_counter(figures, ARM, "missed"),
        hand_sets=_counter(figures, HAND, "sets"),
        hand_missing=_counter(figures, HAND, "missing_sets"),
        frames=_counter(figures, CAMERA, "frames"),
    )


def rates_between(first: Counters, last: Counters) -> dict[str, float]:
    """Return the rates [Hz] of arm, hand and depth, and the deadlines and sets missed."""
    return {
        "arm_hz": last.arm_ticks.rate_since(first.arm_ticks),
        "arm_missed": float(last.arm_missed.count - first.arm_missed.count),
        "hand_hz": last.hand_sets.rate_since(first.hand_sets),
        "hand_missed_sets": float(last.hand_missing.count - first.hand_missing.count),
        "depth_hz": last.frames.rate_since(first.frames),
    }


def figure(figures: Figures, status: str, key: str) -> float:
    """Return one figure as a number.

    Raises:
        TwinError: nobody has published it.
    """
    try:
        return float(figures[status][key])
    except KeyError as error:
        raise TwinError(
            f"/diagnostics has no '{key}' of '{status}'; is its node running?"
        ) from error


def _counter(figures: Figures, status: str, key: str) -> Counter:
    return Counter(int(figure(figures, status, key)), figure(figures, status, STAMP_KEY))
