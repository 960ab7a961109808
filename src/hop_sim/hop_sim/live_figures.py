"""Rates of a running graph, from two readings of its nodes' counters on /diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hop_core.errors import TwinError

Figures = Mapping[str, Mapping[str, str]]
"""Newest values by status name, such as "xarm: driver"."""


@dataclass(frozen=True)
class Counters:
    """The nodes' counters at one moment.

    Attributes:
        time_s: monotonic time of the reading [s].
        arm_ticks, arm_missed: deadlines of the arm's loop answered and skipped.
        hand_sets, hand_missing: position sets of the hand that came and that did not.
        frames: depth frames published.
    """

    time_s: float
    arm_ticks: int
    arm_missed: int
    hand_sets: int
    hand_missing: int
    frames: int


def read_counters(figures: Figures, time_s: float) -> Counters:
    """Return the counters in `figures`.

    Raises:
        TwinError: a driver has not published any.
    """
    return Counters(
        time_s,
        arm_ticks=_count(figures, "xarm: driver", "ticks"),
        arm_missed=_count(figures, "xarm: driver", "missed"),
        hand_sets=_count(figures, "allegro: driver", "sets"),
        hand_missing=_count(figures, "allegro: driver", "missing_sets"),
        frames=_count(figures, "zed: camera", "frames"),
    )


def rates_between(first: Counters, last: Counters) -> dict[str, float]:
    """Return the rates [Hz] and missed cycles of arm, hand and depth between two readings."""
    span_s = max(last.time_s - first.time_s, 1e-9)
    return {
        "arm_hz": (last.arm_ticks - first.arm_ticks) / span_s,
        "arm_missed": float(last.arm_missed - first.arm_missed),
        "hand_hz": (last.hand_sets - first.hand_sets) / span_s,
        "hand_missed_sets": float(last.hand_missing - first.hand_missing),
        "depth_hz": (last.frames - first.frames) / span_s,
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


def _count(figures: Figures, status: str, key: str) -> int:
    return int(figure(figures, status, key))
