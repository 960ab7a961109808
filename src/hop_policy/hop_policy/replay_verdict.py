"""What a policy node did with a replayed bag, beside what the recording and the offline way say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hop_core import topics
from hop_core.errors import BagError
from hop_policy.bag_decode import BagContent, choose_ticks, observations_at
from hop_policy.bag_reader import EpisodeBag
from hop_policy.contract import PolicyContract
from hop_policy.decode import JointReader, stamp_ns
from hop_policy.inference import Policy
from hop_policy.observation import Observation
from hop_policy.streams import stream_rules
from hop_policy.tick_replay import HISTORY_GAP_NS, Arrival, TickChoices, replay_rule

_TOO_LATE_NS = 5_000_000
"""After a tick: the node, punctual to a millisecond or two, has it behind it."""


@dataclass(frozen=True)
class NodeTick:
    """A tick that the node answered, in the bag's time.

    Attributes:
        tick_ns: its time.
        stamps: {stream: stamp [ns]} of the samples that it used.
        target: (23,) what it sent [rad], order of the contract.
    """

    tick_ns: int
    stamps: Mapping[str, int]
    target: np.ndarray


@dataclass(frozen=True)
class Allowed:
    """How far a replay may differ.

    Attributes:
        ticks: largest share of the recording's ticks that may be left out or use other samples.
        target_rad: largest difference of a target from what the same network gives offline.
    """

    ticks: float = 0.02
    target_rad: float = 1e-5


@dataclass(frozen=True)
class Verdict:
    """How a replay went.

    Attributes:
        ticks: of the recording, or of a regular grid where it has none.
        answered: those that the node answered.
        missed, refused: those that it did not: it came too late, or said that a sample was missing.
        other_samples: answered ticks, by stream, that used another sample than the tick rule gives
            offline.
        other_ticks: answered ticks with at least one such stream.
        as_recorded: answered ticks whose samples are just those that the recorded tick names; None
            where the bag has no ticks of this contract.
        offline_rad: (23,) largest difference of the targets from the offline network's.
        recorded_rad: (23,) mean difference from the recorded targets.
        recorded: which targets those are.
        node: the node's own cadence report.
        player_late_ms: how late the latest message was sent, which is this machine's doing.
        allowed: what may differ.
    """

    ticks: int
    answered: int
    missed: int
    refused: int
    other_samples: Mapping[str, int]
    other_ticks: int
    as_recorded: int | None
    offline_rad: np.ndarray
    recorded_rad: np.ndarray | None
    recorded: str
    node: Mapping[str, Any]
    player_late_ms: float
    allowed: Allowed

    @property
    def problem(self) -> str:
        """What differs beyond what is allowed; empty if nothing does."""
        if not self.answered:
            return "the node answered no tick"
        share = (self.missed + self.refused + self.other_ticks) / self.ticks
        if share > self.allowed.ticks:
            return (
                f"{share:.1%} of {self.ticks} ticks differ ({self.missed} missed, {self.refused} "
                f"refused, {self.other_ticks} with other samples), {self.allowed.ticks:.1%} may"
            )
        worst = int(self.offline_rad.argmax())
        if self.offline_rad[worst] > self.allowed.target_rad:
            return (
                f"targets differ by up to {self.offline_rad[worst]:.2g} rad from those of the same "
                f"network offline, {self.allowed.target_rad:g} may"
            )
        return ""


def reference_ticks(bag: EpisodeBag, contract: PolicyContract, content: BagContent) -> TickChoices:
    """Return the ticks that a replay has to reproduce.

    Raises:
        BagError: the bag was recorded for another contract, or has no usable tick.
    """
    bag.require_contract(contract, "replay it with the policy.yaml of that time")
    choices = choose_ticks(bag, contract, content)
    if not choices.ticks_ns:
        raise BagError(f"{bag.path} has no usable tick to replay: record it again")
    return choices


def played_arrivals(
    content: BagContent, contract: PolicyContract, reference: TickChoices, lead_ns: int
) -> list[Arrival]:
    """Return when each sample is sent to the node, in the bag's time and in that order.

    That is `lead_ns` before it was received; but what the recorder received late may have reached
    the recorded node in time, or the other way round. So a sample that a tick of `reference` used
    is sent before that tick, and one that it would have used but did not, after it. None is older
    than what the first tick uses, so that no earlier tick can be answered and the node's history
    begins where the recording's does.
    """
    ticks = np.array(reference.ticks_ns, dtype=np.int64)
    played: list[Arrival] = []
    for stream, rule in stream_rules(contract).items():
        used = np.maximum.accumulate([stamps[stream] for stamps in reference.stamps])
        for received_ns, name, stamp in content.arrivals:
            if name != stream or stamp < used[0]:
                continue
            due_ns, user = received_ns, int(np.searchsorted(used, stamp))
            if user < len(ticks):
                due_ns = min(due_ns, int(ticks[user]))
            due_ns -= lead_ns
            if user > 0 and stamp <= ticks[user - 1] - rule.lag_ns:  # it came too late for that one
                due_ns = max(due_ns, int(ticks[user - 1]) + _TOO_LATE_NS)
            played.append((due_ns, stream, stamp))
    return sorted(played)


def judge_replay(
    bag: EpisodeBag,
    policy: Policy,
    content: BagContent,
    played: Sequence[Arrival],
    answered: Sequence[NodeTick],
    refused_ns: Sequence[int],
    node: Mapping[str, Any],
    player_late_ms: float,
    allowed: Allowed,
) -> Verdict:
    """Return how the node's run compares.

    Args:
        bag: the recording.
        policy: the network that the node runs.
        content: of the bag.
        played: what the node was sent, and when.
        answered: its ticks, in order.
        refused_ns: ticks of the recording at which the node said that it refused.
        node: its cadence report.
        player_late_ms: how late the latest message was sent.
        allowed: what may differ.
    """
    contract = policy.contract
    reference = reference_ticks(bag, contract, content)
    near = _Near([tick.tick_ns for tick in answered], contract.tick_ns // 4)
    found = {tick: near.find(tick) for tick in reference.ticks_ns}
    unanswered = [tick for tick, index in found.items() if index is None]
    refused = len(set(refused_ns) & set(unanswered))
    rule = replay_rule(played, stream_rules(contract), [tick.tick_ns for tick in answered])
    by_rule = dict(zip(rule.ticks_ns, rule.stamps, strict=True))
    others: Counter[str] = Counter()
    other_ticks = 0
    for tick in answered:
        chosen = by_rule.get(tick.tick_ns, {})
        differing = [s for s, stamp in tick.stamps.items() if chosen.get(s) != stamp]
        others.update(differing)
        other_ticks += bool(differing)
    pairs = [(tick, answered[index]) for tick, index in found.items() if index is not None]
    stamps = dict(zip(reference.ticks_ns, reference.stamps, strict=True))
    as_recorded = sum(dict(node_tick.stamps) == stamps[tick] for tick, node_tick in pairs)
    recorded, what = _recorded_targets(bag, contract, content, [tick for tick, _ in pairs])
    differences = [
        np.abs(node_tick.target - recorded[tick]) for tick, node_tick in pairs if tick in recorded
    ]
    return Verdict(
        ticks=len(reference.ticks_ns),
        answered=len(pairs),
        missed=len(unanswered) - refused,
        refused=refused,
        other_samples=others,
        other_ticks=other_ticks,
        as_recorded=as_recorded if content.ticks and bag.info.source != "teleop" else None,
        offline_rad=_offline_difference(bag, policy, content, answered),
        recorded_rad=np.mean(differences, axis=0) if differences else None,
        recorded=what,
        node=node,
        player_late_ms=player_late_ms,
        allowed=allowed,
    )


def _offline_difference(
    bag: EpisodeBag, policy: Policy, content: BagContent, answered: Sequence[NodeTick]
) -> np.ndarray:
    """Return (23,) the largest difference [rad] from the network on the samples that node used."""
    worst = np.zeros(len(policy.contract.joint_names))
    if not answered:
        return worst
    seen = observations_at(bag, policy.contract, content, [tick.stamps for tick in answered])
    last_ns = 0
    for row, tick in enumerate(answered):
        if tick.tick_ns - last_ns > HISTORY_GAP_NS:
            policy.reset()
        last_ns = tick.tick_ns
        one = slice(row, row + 1)
        target = policy.act(Observation(seen.proprio[one], seen.vision[one]))[0]
        worst = np.maximum(worst, np.abs(tick.target - target))
    return worst


def _recorded_targets(
    bag: EpisodeBag, contract: PolicyContract, content: BagContent, ticks_ns: Sequence[int]
) -> tuple[dict[int, np.ndarray], str]:
    """Return {tick: (23,) recorded target [rad]}, and whose they are."""
    if bag.info.source == "policy":
        reader = JointReader(contract.joint_names)
        sent = {
            stamp_ns(message.header): reader.read(message.joint_names, message.points[0].positions)
            for _, _, message in bag.messages([topics.POLICY_TARGET])
        }
        return sent, "the recorded policy's targets"
    labels = {t: content.timeline.in_force(t + contract.label_offset_ns) for t in ticks_ns}
    found = {tick: label for tick, label in labels.items() if label is not None}
    return found, f"the {bag.info.source}'s accepted targets"


class _Near:
    """Finds the time that is nearest to another one."""

    def __init__(self, times_ns: Sequence[int], within_ns: int) -> None:
        """Keep rising times; one further away than `within_ns` is not near."""
        self._times = np.array(times_ns, dtype=np.int64)
        self._within_ns = within_ns

    def find(self, time_ns: int) -> int | None:
        """Return the index of the time nearest to `time_ns`; None where none is near."""
        if not len(self._times):
            return None
        index = int(np.abs(self._times - time_ns).argmin())
        return index if abs(int(self._times[index]) - time_ns) <= self._within_ns else None
