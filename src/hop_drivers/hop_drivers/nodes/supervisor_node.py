"""The safety supervisor on the ROS graph."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from rcl_interfaces.msg import ParameterDescriptor
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from hop_core import topics
from hop_core.clock import ClockOffset
from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_core.errors import ConfigError, DeviceError, ModelError
from hop_core.kinematics import Kinematics
from hop_core.nodes.polled import PolledTopics
from hop_core.nodes.qos import NEWEST, reliable
from hop_core.nodes.runtime import HopNode, main_of
from hop_core.nodes.state_io import DiagnosticsTimer, StateListener
from hop_core.rate import DeadlineLoop
from hop_core.realtime import Priority
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_core.single_instance import SingleInstance
from hop_core.state import HopState, Source
from hop_core.state_report import StateReport
from hop_drivers.nodes.messages import target_of
from hop_drivers.nodes.supervisor_effects import RosEffects
from hop_drivers.safety_filter import SafetyFilter
from hop_drivers.supervisor import Supervisor
from hop_drivers.supervisor_state import Answer
from hop_drivers.target import TargetReader

_TICK_NS = 25_000_000
_SAMPLE_EVERY = 2
_DISCOVERY_S = 0.6
_LOOP_CHECK_S = 0.5
_INCIDENTS = "~/.hop/incidents"
_READ_ONLY = ParameterDescriptor(read_only=True)
_NUMBER = ParameterDescriptor(read_only=True, dynamic_typing=True)  # 1 is as good as 1.0


class SupervisorNode(HopNode):
    """Gives the pure supervisor its messages, services and clock.

    Every call to it is under one lock.
    """

    def __init__(self) -> None:
        super().__init__("supervisor")
        execute = self.declare_parameter("execute", True, _READ_ONLY).value
        auto_arm = self.declare_parameter("auto_arm", False, _READ_ONLY).value
        auto_source = self.declare_parameter("auto_source", "none", _READ_ONLY).value
        speed_scale = self.declare_parameter("speed_scale", 1.0, _NUMBER).value
        folder = self.declare_parameter("incident_dir", _INCIDENTS, _READ_ONLY).value
        robot = load_robot(self.robot, self.config_dir).moved(self.twin_address)
        safety = load_safety(self.config_dir)
        if not isinstance(speed_scale, int | float) or not 0.0 < speed_scale <= 1.0:
            raise ConfigError(
                f"parameter speed_scale must be above 0 and at most 1, got {speed_scale}"
            )
        if auto_arm and robot.twin is None:
            raise ConfigError(
                f"auto_arm is for the twin only; robot '{robot.name}' is real: arm by hand"
            )
        domain = os.environ.get("ROS_DOMAIN_ID", "0")
        self._instance = SingleInstance(
            f"supervisor/{domain}", f"a supervisor of ROS domain {domain}"
        )
        self._refuse_second(domain)
        embodiment = load_embodiment(late_serial=robot.arm.late_serial)
        self._lock = threading.RLock()
        self._clock_offset = ClockOffset(step_limit_ns=round(1e9 * safety.watchdog.clock_step_s))
        rate_hz = 1e9 / (_TICK_NS * _SAMPLE_EVERY)
        self._effects = RosEffects(self, Path(folder).expanduser(), safety.incident_s, rate_hz)
        self._incidents = self._effects.incidents
        self._filter = SafetyFilter(embodiment, safety, robot, Kinematics())
        self._supervisor = Supervisor(
            embodiment, safety, self._filter, self._effects, self._clock_offset,
            time.monotonic_ns, _new_id,
            execute=execute, auto_arm=auto_arm, auto_source=_source(auto_source),
            speed_scale=speed_scale,
        )  # fmt: skip
        self._readers = {
            source: TargetReader(JOINT_NAMES, safety.watchdog)
            for source in (Source.POLICY, Source.TELEOP)
        }
        self._subscribe()
        self._serve()
        self._diagnostics = DiagnosticsTimer(self, {"supervisor": self._figures})
        self.create_timer(_LOOP_CHECK_S, self._check_loop)
        self._ticks = 0
        self._loop = DeadlineLoop(_TICK_NS, self._tick, "supervisor-40hz")
        self._loop.start()

    def _refuse_second(self, domain: str) -> None:
        """Look for a supervisor on another machine before this one says a word.

        The newcomer must go.

        Raises:
            DeviceError: there is one.
        """
        time.sleep(_DISCOVERY_S)
        if self.count_publishers(topics.SAFE_TARGET) > 0:
            raise DeviceError(
                f"a supervisor publishes {topics.SAFE_TARGET} in ROS domain {domain} already; stop "
                "that launch or set another ROS_DOMAIN_ID"
            )

    # ROS to supervisor.

    def _subscribe(self) -> None:
        self._polled = PolledTopics(self)
        self._joints = {
            name: self._polled.subscribe(JointState, topic, NEWEST)
            for name, topic in (("xarm", topics.ARM_STATES), ("allegro", topics.HAND_STATES))
        }
        self._camera = self._polled.subscribe(CameraInfo, topics.CAMERA_INFO, NEWEST)
        self.create_subscription(Bool, topics.ESTOP, self._on_estop, reliable(10))
        for topic, source in (
            (topics.POLICY_TARGET, Source.POLICY),
            (topics.TELEOP_TARGET, Source.TELEOP),
        ):
            self.create_subscription(
                JointTrajectory, topic, partial(self._on_target, source), NEWEST
            )
        self._listener = StateListener(self, self._on_report)

    def _poll(self) -> None:
        """Take the newest feedback: the watchdogs need no more than one message a tick."""
        now_ns, feedback = time.monotonic_ns(), self._supervisor.feedback
        for component, subscription in self._joints.items():
            message = self._polled.take(subscription)
            if message is None:
                continue
            try:
                feedback.joints(component, message.name, message.position, now_ns)
            except ModelError as error:
                self.get_logger().error(f"{component} joint state ignored: {error}", once=True)
        if self._polled.take(self._camera) is not None:
            feedback.arrived("zed", now_ns)

    def _on_estop(self, message: Bool) -> None:
        if message.data:
            with self._lock:
                self._supervisor.estop("e-stop by topic")

    def _on_target(self, source: Source, message: JointTrajectory) -> None:
        read = target_of(message, self._readers[source], time.time_ns())
        with self._lock:
            self._supervisor.on_target(source, read)

    def _on_report(self, report: StateReport) -> None:
        if report.component == "supervisor":
            return
        with self._lock:
            self._incidents.report(time.time_ns(), report)
            self._supervisor.on_report(report)

    # Services.

    def _serve(self) -> None:
        requests = {
            topics.SUPERVISOR_ARM: self._supervisor.request_arm,
            topics.SUPERVISOR_DISARM: self._supervisor.request_disarm,
            topics.SUPERVISOR_RECOVER: self._supervisor.request_recover,
            topics.SUPERVISOR_HOME: self._supervisor.request_home,
            topics.SUPERVISOR_CLEAR_ESTOP: self._supervisor.request_clear_estop,
        }
        for name, request in requests.items():
            self.create_service(Trigger, name, partial(self._on_trigger, request))
        for name, source in (
            (topics.SUPERVISOR_POLICY, Source.POLICY),
            (topics.SUPERVISOR_TELEOP, Source.TELEOP),
        ):
            self.create_service(SetBool, name, partial(self._on_source, source))

    def _on_trigger(
        self, request: Callable[[], Answer], _unused: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        with self._lock:
            answer = request()
        response.success, response.message = answer.ok, answer.message
        return response

    def _on_source(
        self, source: Source, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        with self._lock:
            answer = self._supervisor.request_source(source, request.data)
        response.success, response.message = answer.ok, answer.message
        return response

    # Time.

    def _tick(self, _deadline_ns: int) -> None:
        with self._lock:
            self._poll()
            self._supervisor.tick()
            self._ticks += 1
            if self._ticks % _SAMPLE_EVERY == 0:
                self._effects.counters = {**self._supervisor.refusals, **self._filter.clamps}
                self._incidents.sample(time.time_ns(), self._supervisor.feedback.q, self._filter.q)

    def _check_loop(self) -> None:
        if not self._loop.running:
            self.get_logger().fatal(f"the supervisor's loop ended: {self._loop.error!r}")
            self.stop(1)

    def _figures(self) -> Mapping[str, object]:
        stats = self._loop.stats()
        with self._lock:
            return {
                "hz": stats.hz,
                "missed": stats.missed,
                "late_p99_ms": stats.late_p99_ms,
                "divergence_rad": self._supervisor.divergence_rad,
                **{f"refused_{kind}": n for kind, n in self._supervisor.refusals.items()},
                **{f"clamped_{kind}": n for kind, n in self._filter.clamps.items()},
            }

    def close(self) -> None:
        """Disarm and stop."""
        loop = getattr(self, "_loop", None)
        if loop is None:
            return
        loop.stop()
        self._polled.close()
        with self._lock:
            if self._supervisor.state.may_move or self._supervisor.state is HopState.ARMING:
                self._supervisor.request_disarm()
        self._incidents.finish()


def _source(name: str) -> Source:
    """Return the source that the first, automatic arming gives the robot to.

    Raises:
        ConfigError: there is no such source.
    """
    if name not in (Source.NONE, Source.POLICY, Source.TELEOP):
        raise ConfigError(f"parameter auto_source must be none, policy or teleop, got '{name}'")
    return Source(name)


def _new_id() -> str:
    return uuid.uuid4().hex[:8]


main = main_of(SupervisorNode, Priority.SUPERVISOR)
