"""Policy node: streams in, joint targets and ticks out, at the policy's rate."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import message_filters
import numpy as np
import torch
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Int64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from hop_core import topics
from hop_core.durable_files import replace_file
from hop_core.errors import AlignmentError, ConfigError, ModelError
from hop_core.nodes.qos import STREAM, reliable
from hop_core.nodes.runtime import HopNode, main_of
from hop_core.nodes.state_io import DiagnosticsTimer, StateListener, StatePublisher
from hop_core.rate import DeadlineLoop
from hop_core.realtime import Priority
from hop_core.robot_config import CameraPose, load_robot
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_policy.cadence import CadenceReport
from hop_policy.cameras import CAMERA_UNKNOWN
from hop_policy.checkpoint import load_checkpoint_config
from hop_policy.contract import PolicyContract, load_contract
from hop_policy.inference import Policy
from hop_policy.live_observer import LiveObserver, TickObservation
from hop_policy.model import PolicyConfig, PolicyModel
from hop_policy.nodes.policy_messages import target_template, tick_template, to_target, to_tick
from hop_policy.policy_forms import FORMS
from hop_policy.shipped import checkpoint_path
from hop_policy.streams import ARM, DEPTH, HAND
from hop_policy.tick_replay import require_hold
from hop_policy.ticker import PolicyTicker

UNTRAINED = "untrained"
_WATCH_S = 0.2


class PolicyNode(HopNode):
    """Runs one policy.

    Parameters:
        policy: checkpoint directory, or "untrained" for a network of random weights (shadow runs).
        form: auto (the exported form where the checkpoint holds one), eager or exported.
        auto_start: start ticking as soon as the node is up.
        duration: seconds after the first start at which the node ends; 0 is never.
        depth_topic, camera_info_topic: source of depth, 16UC1 or 32FC1.
        report: file for the cadence report (JSON) at the end; empty for none.

    The checkpoint must have learnt from a camera that stood where that of `robot` stands; with an
    empty `robot`, as in a replay, that is not asked.

    Raises:
        HopError: the checkpoint cannot be used, or a configuration is wrong.
    """

    def __init__(self) -> None:
        super().__init__("policy_node")
        parameter = self._parameter
        self._contract = load_contract(self.config_dir)
        require_hold(load_safety(self.config_dir))
        form = parameter("form", "auto")
        camera = load_robot(self.robot, self.config_dir).camera if self.robot else None
        path = parameter("policy", "")
        self._policy = _load_policy(path, form, self._contract, camera)
        if camera is not None and path != UNTRAINED:
            config = load_checkpoint_config(checkpoint_path(Path(path)))
            if config.camera_is_unknown:
                self.get_logger().warning(f"{path} {CAMERA_UNKNOWN}")
        self.get_logger().info(f"the policy runs in its {self._policy.form} form")
        self._report_file = _report_file(parameter("report", ""))
        self._duration_s = float(parameter("duration", 0.0))
        self._state = StatePublisher(self, "policy")
        self._supervisor = StateListener(self, self._on_report)
        self._saying = threading.Lock()  # the loop and the callbacks both speak
        self._arming_id = self._tick_arming_id = ""
        self._bad: Counter[str] = Counter()
        self._observer = LiveObserver(self._contract)
        self._late_before = dict(self._observer.late)
        self._ticker = PolicyTicker(self._observer, self._policy, self._send, self._on_refusal)
        self._loop: DeadlineLoop | None = None
        self._end_timer: Timer | None = None
        self._target = target_template(self._contract)
        self._tick = tick_template((DEPTH, ARM, HAND))
        self._target_publisher = self.create_publisher(
            JointTrajectory, topics.POLICY_TARGET, STREAM
        )
        self._tick_publisher = self.create_publisher(Int64MultiArray, topics.TICK, STREAM)
        self._subscriptions_kept = self._subscribe(parameter)
        self.create_service(Trigger, topics.POLICY_START, self._on_start)
        self.create_service(Trigger, topics.POLICY_STOP, self._on_stop)
        self._diagnostics = DiagnosticsTimer(self, {"policy": self._diagnose})
        self._watch = self.create_timer(_WATCH_S, self._check_loop)
        self._say(HopState.IDLE, progress="ready")
        if parameter("auto_start", False):
            self.start()

    def start(self) -> None:
        """Begin a run with an empty history; a run in progress is ended first."""
        self._end_loop()
        self._bad.clear()
        self._late_before = dict(self._observer.late)
        self._ticker.start()
        # Each thread's first pass of the network costs 60 ms: it is warmed up where it will run.
        self._loop = DeadlineLoop(
            self._contract.tick_ns, self._step, "policy", self._policy.warm_up
        )
        self._loop.start()
        self._say(HopState.ACTIVE, progress="running")
        if self._duration_s > 0.0 and self._end_timer is None:
            self._end_timer = self.create_timer(self._duration_s, self.stop)

    def close(self) -> None:
        """End the run and report its pace."""
        if self._loop is not None:
            self._finish_run(HopState.DISCONNECTED, "node ended")

    def report(self) -> CadenceReport | None:
        """Return the pace of the present or the last run, None before the first."""
        if self._loop is None:
            return None
        late = {key: n - self._late_before[key] for key, n in self._observer.late.items()}
        return self._ticker.meter.report(self._loop.stats(), late, self._bad)

    def _parameter(self, name: str, default: Any) -> Any:
        return self.declare_parameter(name, default).value

    def _subscribe(self, parameter: Callable[[str, Any], Any]) -> list[Any]:
        sources = (
            (DEPTH, Image, parameter("depth_topic", topics.DEPTH)),
            (ARM, JointState, topics.ARM_STATES),
            (HAND, JointState, topics.HAND_STATES),
        )
        kept = []
        for stream, kind, topic in sources:
            subscriber = message_filters.Subscriber(self, kind, topic, qos_profile=reliable(20))
            subscriber.registerCallback(self._receiver(stream, self._observer.receive))
            kept.append(subscriber)
        info = parameter("camera_info_topic", topics.CAMERA_INFO)
        receive = self._receiver(
            "camera_info", lambda _, message: self._observer.receive_camera_info(message)
        )
        kept.append(self.create_subscription(CameraInfo, info, receive, STREAM))
        return kept

    def _receiver(self, stream: str, receive: Callable[[str, Any], None]) -> Callable[[Any], None]:
        def on_message(message: Any) -> None:
            try:
                receive(stream, message)
            except (AlignmentError, ModelError) as error:  # one bad message does not end a run
                self._bad[stream] += 1
                if self._bad[stream] == 1:
                    self._add(f"{stream}: {error}")
            except ConfigError as error:  # a camera without the policy's view does
                if self._loop is None:
                    raise
                if self._running():
                    self._finish_run(HopState.FAULT, "stopped", str(error))

        return on_message

    def _step(self, deadline_ns: int) -> None:
        # Read before the history is: what began under an arming is sent under that, or not heard.
        self._tick_arming_id = self._arming_id
        self._ticker.step(deadline_ns)

    def _send(self, seen: TickObservation, target: np.ndarray) -> None:
        to_target(self._target, seen.tick_ns, self._tick_arming_id, target)
        self._target_publisher.publish(self._target)
        to_tick(self._tick, seen)
        self._tick_publisher.publish(self._tick)

    def _on_refusal(self, reason: str) -> None:
        state = HopState.HOLD if reason else HopState.ACTIVE
        self._say(state, reason, progress="running")

    def _say(
        self,
        state: HopState,
        reason: str = "",
        progress: str = "",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        with self._saying:
            self._said = (state, reason, progress)
            self._publish(state, reason, progress, extra)

    def _add(self, news: str) -> None:
        """Tell `news` beside what was said last."""
        with self._saying:
            state, reason, progress = self._said
            self._publish(state, f"{reason}; {news}" if reason else news, progress)

    def _publish(
        self, state: HopState, reason: str, progress: str, extra: Mapping[str, str] | None = None
    ) -> None:
        self._state.publish(
            state, reason, arming_id=self._arming_id, progress=progress, extra=extra
        )

    def _on_report(self, report: StateReport) -> None:
        if report.component == "supervisor" and report.arming_id != self._arming_id:
            self._ticker.forget()  # a new arming is a new episode; before its id is used
            self._arming_id = report.arming_id

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.start()
        response.success, response.message = True, "running"
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._running()
        response.message = "stopped" if response.success else "the policy is not running"
        if response.success:
            self._finish_run(HopState.IDLE, "stopped")
        return response

    def _running(self) -> bool:
        return self._loop is not None and self._loop.running

    def _end_loop(self) -> None:
        if self._loop is not None:
            self._loop.stop()

    def _finish_run(self, state: HopState, progress: str, reason: str = "") -> None:
        self._end_loop()
        report = self.report()
        if report is None:
            return
        self._say(state, reason, progress, report.as_text())
        self.get_logger().info(f"cadence of the policy\n{report.table()}")
        if self._report_file is not None:
            try:
                replace_file(self._report_file, report.as_json())
            except OSError as error:  # the robot is told of the end all the same
                self.get_logger().error(f"{self._report_file} cannot be written: {error.strerror}")

    def _check_loop(self) -> None:
        """Turn a loop that died into a fault: nobody else would notice."""
        if self._loop is not None and self._loop.error is not None:
            error, self._loop.error = self._loop.error, None
            self._finish_run(HopState.FAULT, "stopped", str(error))

    def _diagnose(self) -> dict[str, str]:
        report = self.report()
        return report.as_text() if report is not None else {"state": "not started"}


def _report_file(path: str) -> Path | None:
    """Return where the cadence report goes, if anywhere.

    Raises:
        ConfigError: there is no such folder.
    """
    if not path:
        return None
    file = Path(path).expanduser()
    if not file.parent.is_dir():
        raise ConfigError(f"report: {file.parent} is no folder; make it or choose another")
    return file


def _load_policy(
    path: str, form: str, contract: PolicyContract, camera: CameraPose | None
) -> Policy:
    """Return the policy in `path`, or an untrained one: never by default.

    Raises:
        ConfigError: none is named, or a form that there is not.
        CheckpointError: see `Policy.load`.
    """
    if not path:
        raise ConfigError(
            f"which policy? Set the parameter policy to a checkpoint directory, or to '{UNTRAINED}'"
        )
    if form not in FORMS:
        raise ConfigError(f"the parameter form is '{form}'; allowed are {', '.join(FORMS)}")
    torch.set_num_threads(1)  # one frame is too little work to share; a pool would cost a core
    if path == UNTRAINED:
        if form == "exported":
            raise ConfigError(f"'{UNTRAINED}' has no exported form; leave the parameter form out")
        return Policy(PolicyModel(PolicyConfig(), contract))
    return Policy.load(checkpoint_path(Path(path)), contract, form=form, camera=camera)


main = main_of(PolicyNode, Priority.POLICY)

if __name__ == "__main__":
    main()
