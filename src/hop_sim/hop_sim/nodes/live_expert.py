"""The scripted expert as a source of targets on the ROS graph, in the place of a teleoperator."""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hop_core import topics
from hop_core.embodiment import JOINT_NAMES
from hop_core.errors import TwinError
from hop_core.nodes.qos import reliable
from hop_core.nodes.runtime import to_time
from hop_core.rate import DeadlineLoop
from hop_sim.experts.registry import expert_class
from hop_sim.nodes.graph_client import GraphClient
from hop_sim.tasks.task import SceneView, TaskConfig
from hop_sim.twin_client import TwinClient


class LiveExpert:
    """Reads the true poses from the twin and publishes a target every tick."""

    def __init__(
        self, graph: GraphClient, twin: TwinClient, tick_s: float, task: TaskConfig
    ) -> None:
        """Act on `graph`, one target every `tick_s` [s]; `task` is the twin's."""
        self._graph = graph
        self._twin = twin
        self._task = task
        self._tick_s = tick_s
        node: Node = graph.node
        self._publisher = node.create_publisher(JointTrajectory, topics.TELEOP_TARGET, reliable(1))
        self._loop: DeadlineLoop | None = None

    def begin(self) -> None:
        """Start from where the robot is, in a new style, and take it."""
        state = self._twin.state()
        expert = expert_class(self._task.task)
        self._expert = expert.of_episode(state["seed"], self._tick_s, self._task)
        self._expert.reset(np.array(state["q"]))
        report = self._graph.state("supervisor")
        self._arming_id = "" if report is None else report.arming_id
        self._graph.set(topics.SUPERVISOR_TELEOP, True)
        self._loop = DeadlineLoop(round(self._tick_s * 1e9), self._tick, "live-expert")
        self._loop.start()

    def end(self) -> None:
        """Let go of the robot, then stop."""
        with suppress(TwinError):  # a fault has taken it already
            self._graph.set(topics.SUPERVISOR_TELEOP, False)
        if self._loop is not None:
            self._loop.stop()
            if self._loop.error is not None:
                raise TwinError(f"the expert stopped: {self._loop.error}")

    def _tick(self, _deadline_ns: int) -> None:
        stamp_ns = time.time_ns()
        state = self._twin.state()
        poses = {name: np.array(pose) for name, pose in state["poses"].items()}
        q = self._expert.act(SceneView(state["object"], poses))
        point = JointTrajectoryPoint(positions=q.tolist())
        point.time_from_start.nanosec = round(self._tick_s * 1e9)
        message = JointTrajectory(joint_names=list(JOINT_NAMES), points=[point])
        message.header.stamp = to_time(stamp_ns)
        message.header.frame_id = self._arming_id
        self._publisher.publish(message)
