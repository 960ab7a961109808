"""Which sample of each stream every tick of a recorded episode used, or would have used.

Messages are taken in receive order with their header stamps, just as the live node gets them: at a
tick only what had arrived by then counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from hop_core.align import StreamRule, TickAligner
from hop_core.errors import AlignmentError, ConfigError
from hop_core.safety_config import SafetyConfig
from hop_policy.decode import TICK_LABEL

TARGET_HOLD_NS = 150_000_000
"""Age at which the supervisor calls a target stale and holds: `target_stale_s` of safety.yaml."""
HISTORY_GAP_NS = TARGET_HOLD_NS + 25_000_000
"""Longest pause between two ticks of one history, half a tick above the hold so that three periods
with jitter pass. After a longer one the robot has stopped, and the policy starts from an empty
history, in the node and in the data alike."""


def require_hold(safety: SafetyConfig) -> None:
    """Pass if the robot holds after the time that labels and histories are made for.

    Raises:
        ConfigError: it does not.
    """
    stale_s = safety.watchdog.target_stale_s
    if round(1e9 * stale_s) != TARGET_HOLD_NS:
        raise ConfigError(
            f"safety.yaml: watchdog.target_stale_s is {stale_s:g}, but demonstrations and policies "
            f"are made for a robot that holds after {TARGET_HOLD_NS * 1e-9:g} s"
        )


Arrival = tuple[int, str, int]
"""(receive time [ns], stream, stamp [ns]) of one message."""


@dataclass
class TickChoices:
    """The usable ticks of an episode.

    Attributes:
        ticks_ns: N tick times, ROS time.
        stamps: per tick {stream: stamp [ns]} of the sample used.
        refused: ticks left out, counted by reason.
    """

    ticks_ns: list[int] = field(default_factory=list)
    stamps: list[dict[str, int]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, tick_ns: int, stamps: dict[str, int]) -> None:
        """Add a usable tick."""
        self.ticks_ns.append(tick_ns)
        self.stamps.append(stamps)


def replay_exact(arrivals: Iterable[Arrival], ticks: Sequence[dict[str, int]]) -> TickChoices:
    """Return the choices that the node recorded itself, as far as the samples are in the bag.

    Args:
        arrivals: all messages of the streams.
        ticks: per tick its own time (`TICK_LABEL`) and the stamp chosen from each stream.
    """
    held: dict[str, set[int]] = {}
    for _, stream, stamp_ns in arrivals:
        held.setdefault(stream, set()).add(stamp_ns)
    choices = TickChoices()
    for tick in ticks:
        stamps = {stream: stamp for stream, stamp in tick.items() if stream != TICK_LABEL}
        missing = [name for name, stamp in stamps.items() if stamp not in held.get(name, ())]
        if missing:
            choices.refused[f"{missing[0]}: the sample that the policy used was not recorded"] += 1
        else:
            choices.add(tick[TICK_LABEL], stamps)
    return choices


def replay_rule(
    arrivals: Iterable[Arrival], rules: dict[str, StreamRule], ticks_ns: Sequence[int]
) -> TickChoices:
    """Return what the tick rule chooses at given times.

    Args:
        arrivals: all messages of the streams in receive order.
        rules: lag and age limit per stream.
        ticks_ns: tick times, ROS time, rising.
    """
    aligner: TickAligner[None] = TickAligner(rules)
    choices = TickChoices()
    waiting = iter(arrivals)
    arrival = next(waiting, None)
    for tick_ns in ticks_ns:
        while arrival is not None and arrival[0] <= tick_ns:
            aligner.insert(arrival[1], arrival[2], None)
            arrival = next(waiting, None)
        try:
            chosen = aligner.select(tick_ns)
        except AlignmentError as error:
            choices.refused[str(error).split(":")[0] + ": no fresh sample"] += 1
        else:
            choices.add(tick_ns, {stream: stamp for stream, (stamp, _) in chosen.items()})
    return choices


def tick_grid(start_ns: int, end_ns: int, period_ns: int) -> list[int]:
    """Return the tick times of an episode without recorded ticks: `start_ns`, then every period."""
    return list(range(start_ns, end_ns + 1, period_ns))


def histories(ticks_ns: np.ndarray) -> list[slice]:
    """Return the runs of ticks that belong to one history each.

    Args:
        ticks_ns: (N,) int64 tick times, rising.
    """
    if not len(ticks_ns):
        return []
    cuts = np.flatnonzero(np.diff(ticks_ns) > HISTORY_GAP_NS) + 1
    edges = [0, *cuts.tolist(), len(ticks_ns)]
    return [slice(a, b) for a, b in pairwise(edges)]
