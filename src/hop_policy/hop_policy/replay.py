"""A recorded bag through the real policy node, over real DDS, in real time.

The node ticks by its own clock, which cannot be set. So it is first given standing streams, until
its ticks tell where they fall; then the streams stop for long enough that it forgets them, and the
recording is played so that its ticks fall on the node's: all stamps move by one shift.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hop_core import topics
from hop_core.errors import AlignmentError, BagError, ModelError
from hop_core.realtime import Priority, scheduled
from hop_core.state import HopState
from hop_policy.bag_decode import observations_at, read_content
from hop_policy.bag_reader import EpisodeBag
from hop_policy.inference import Policy
from hop_policy.messages import header_stamp_ns, restamped
from hop_policy.policy_process import PolicyProcess, loopback
from hop_policy.replay_verdict import (
    Allowed,
    NodeTick,
    Verdict,
    judge_replay,
    played_arrivals,
    reference_ticks,
)
from hop_policy.tick_replay import HISTORY_GAP_NS, Arrival

if TYPE_CHECKING:
    from hop_policy.nodes.bag_player import BagPlayer

_READY_S = 120.0
_PHASE_S = 60.0
_PHASE_TICKS = 3
_STANDING_S = 0.02
_QUIET_NS = HISTORY_GAP_NS + 325_000_000  # after which no standing sample is fresh enough
_SETTLE_S = 0.3
_AFTER_NS = 20_000  # node's ticks come this much later: a sample just in time stays in time


@dataclass(frozen=True)
class Message:
    """A recorded message: when it is sent, in the bag's time, its topic, its CDR bytes."""

    due_ns: int
    topic: str
    cdr: bytes


@dataclass(frozen=True)
class Replay:
    """What is replayed, and how.

    Attributes:
        bag: the recording.
        checkpoint: the policy.
        policy: the same one, in this process.
        domain: ROS domain, in which nobody else is.
        lead_ns: how much earlier than it was received, or used, each message is sent, so that the
            way through this machine makes none late.
        config_dir: folder of the configurations; None: the installed one.
    """

    bag: EpisodeBag
    checkpoint: Path
    policy: Policy
    domain: int
    lead_ns: int
    config_dir: Path | None = None

    def run(self, allowed: Allowed) -> Verdict:
        """Play the bag and return how the node did.

        Raises:
            BagError: the bag is damaged, lacks a topic, or is of another contract.
            ConfigError: its camera cannot give the policy's view.
            DeviceError: the node does not start or stops, or somebody else is in the domain.
        """
        bag, contract = self.bag, self.policy.contract
        bag.require([*topics.STREAMS.values(), topics.CAMERA_INFO])
        try:
            content = read_content(bag, contract)
            reference = reference_ticks(bag, contract, content)
            observations_at(bag, contract, content, reference.stamps[:1])  # before anything starts
        except (AlignmentError, ModelError) as error:
            raise BagError(f"{bag.path}: {error}") from error
        first_ns = reference.ticks_ns[0]
        played = played_arrivals(content, contract, reference, self.lead_ns)
        messages = self._messages(played)

        from hop_policy.nodes.bag_player import BagPlayer  # ROS is needed from here on only

        with (
            loopback(self.domain),
            BagPlayer(self.domain) as player,
            PolicyProcess(self.checkpoint, self.config_dir) as node,
        ):
            shift_ns, late_ms = self._play(player, node, messages, first_ns)
            player.stop_policy()
            report = node.end()
            answered, refused_ns = self._heard(player, shift_ns, reference.ticks_ns)
        return judge_replay(
            bag, self.policy, content, played, answered, refused_ns, report, late_ms, allowed
        )

    def _messages(self, played: Sequence[Arrival]) -> list[Message]:
        """Return what is sent, in order: the samples, and camera_info as it was received."""
        messages, samples = [], {}
        for topic, received_ns, cdr in self.bag.serialized([topics.CAMERA_INFO, *topics.STREAM_OF]):
            if topic == topics.CAMERA_INFO:
                messages.append(Message(received_ns - self.lead_ns, topic, cdr))
            else:
                samples[topic, header_stamp_ns(cdr)] = cdr
        for due_ns, stream, stamp in played:
            topic = topics.STREAMS[stream]
            messages.append(Message(due_ns, topic, samples[topic, stamp]))
        return sorted(messages, key=lambda message: message.due_ns)

    def _play(
        self, player: BagPlayer, node: PolicyProcess, messages: list[Message], first_ns: int
    ) -> tuple[int, float]:
        """Play; return the shift [ns] from the bag's time to the run's, and the lateness [ms]."""

        def ready() -> bool:
            node.check()
            return player.connected()

        player.wait("the policy node", ready, _READY_S)
        with scheduled(Priority.CAMERA):  # as the devices that it stands in for
            player.trigger(topics.POLICY_START)
            phase_ns = self._phase(player, node, messages)
            shift_ns = self._shift(phase_ns, first_ns - messages[0].due_ns, first_ns)
            late_ms = player.play(
                (each.due_ns + shift_ns, each.topic, partial(restamped, each.cdr, shift_ns))
                for each in messages
            )
            time.sleep(_SETTLE_S)
        node.check()
        return shift_ns, late_ms

    def _shift(self, phase_ns: int, before_ns: int, first_ns: int) -> int:
        """Return the shift [ns] that puts the tick at `first_ns` of the bag on one of the node's.

        The first message, due `before_ns` earlier, is sent after a pause in which the node forgets.
        """
        tick_ns = self.policy.contract.tick_ns
        earliest_ns = time.time_ns() + _QUIET_NS + before_ns
        periods = -((phase_ns - earliest_ns) // tick_ns)
        return phase_ns + periods * tick_ns - first_ns - _AFTER_NS

    def _phase(self, player: BagPlayer, node: PolicyProcess, messages: list[Message]) -> int:
        """Return the time [ns] of one of the node's ticks, found with streams that stand still."""
        standing = {each.topic: each.cdr for each in reversed(messages)}

        def ticking() -> bool:
            node.check()
            now_ns = time.time_ns()
            for topic, cdr in standing.items():
                player.publish(topic, restamped(cdr, now_ns - header_stamp_ns(cdr)))
            time.sleep(_STANDING_S)
            return len(player.ticks) >= _PHASE_TICKS

        player.wait("the node's first ticks", ticking, _PHASE_S)
        return max(player.ticks)

    def _heard(
        self, player: BagPlayer, shift_ns: int, reference_ns: Sequence[int]
    ) -> tuple[list[NodeTick], list[int]]:
        """Return the answered ticks and the refused ones, in the bag's time."""
        half_ns = self.policy.contract.tick_ns // 2
        first_ns, last_ns = reference_ns[0] - half_ns, reference_ns[-1] + half_ns
        answered = [
            NodeTick(
                tick - shift_ns,
                {stream: stamp - shift_ns for stream, stamp in player.ticks[tick].items()},
                player.targets[tick],
            )
            for tick in sorted(player.ticks.keys() & player.targets.keys())
            if first_ns <= tick - shift_ns <= last_ns
        ]
        refused = [
            tick
            for tick in reference_ns
            if player.state_at(tick + shift_ns + half_ns) is HopState.HOLD
        ]
        return answered, refused
