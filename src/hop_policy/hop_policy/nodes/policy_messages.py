"""The policy's two messages, made once and refilled every tick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from std_msgs.msg import Int64MultiArray, MultiArrayDimension
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hop_core.nodes.runtime import to_time
from hop_policy.contract import PolicyContract
from hop_policy.decode import TICK_LABEL
from hop_policy.live_observer import TickObservation


def target_template(contract: PolicyContract) -> JointTrajectory:
    """Return a target of one point, due one tick after its stamp."""
    message = JointTrajectory(joint_names=list(contract.joint_names))
    due = Duration(sec=0, nanosec=contract.tick_ns)
    message.points = [JointTrajectoryPoint(time_from_start=due)]
    return message


def to_target(message: JointTrajectory, tick_ns: int, arming_id: str, target: np.ndarray) -> None:
    """Fill `message`.

    Args:
        message: from `target_template`.
        tick_ns: time of the observation that it answers, ROS time.
        arming_id: arming that it is meant for.
        target: (23,) joint angles [rad], order of the contract.
    """
    message.header.stamp = to_time(tick_ns)
    message.header.frame_id = arming_id
    message.points[0].positions = target


def tick_template(streams: Sequence[str]) -> Int64MultiArray:
    """Return a tick whose dimension labels name the tick's own time, then each stream's stamp."""
    message = Int64MultiArray()
    message.layout.dim = [
        MultiArrayDimension(label=label, size=1, stride=1) for label in (TICK_LABEL, *streams)
    ]
    return message


def to_tick(message: Int64MultiArray, seen: TickObservation) -> None:
    """Fill `message`, from `tick_template`, with the stamps of `seen`."""
    message.data = [
        seen.tick_ns if dim.label == TICK_LABEL else seen.stamps[dim.label]
        for dim in message.layout.dim
    ]
