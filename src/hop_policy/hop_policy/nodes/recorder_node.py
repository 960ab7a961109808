"""Recorder node: topics in, one bag per episode out."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rclpy.subscription import Subscription
from std_srvs.srv import SetBool, Trigger

from hop_core import topics
from hop_core.config import config_path, first_problem, load_config
from hop_core.errors import BagError, ConfigError, HopError
from hop_core.nodes.qos import RECORDER, STATE_SUBSCRIBER
from hop_core.nodes.runtime import HopNode, main_of
from hop_core.nodes.state_io import StatePublisher
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_policy.bag_files import require_room
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.cell_statics import cell_statics
from hop_policy.contract import load_contract
from hop_policy.episode_info import SOURCES, EpisodeInfo, Label, run_hash
from hop_policy.episode_recorder import EpisodeEnd, EpisodeRecorder
from hop_policy.recorder_config import RecorderConfig, TopicConfig
from hop_policy.shipped import SHIPPED_TASK
from hop_policy.tick_replay import require_hold

_END_TIMEOUT_S = 10.0


class RecorderNode(HopNode):
    """Records episodes on request.

    Parameters, read anew at each start:
        task: name of the task.
        root: folder of all episodes; empty for that of recorder.yaml.
        episode: name of the next episode; empty for the time of its start.
        source: who moves the robot: policy, teleop or expert.
        policy: identity of the policy, for the record.
        seed: seed of the scene, -1 for none.
        object: object of the scene, for the record.
        facts: more for the record, a JSON object of texts.
        record: start recording at once.
    """

    def __init__(self) -> None:
        super().__init__("recorder_node")
        defaults: dict[str, Any] = {
            "task": SHIPPED_TASK,
            "root": "",
            "episode": "",
            "source": "policy",
            "policy": "",
            "seed": -1,
            "object": "",
            "facts": "{}",
            "record": False,
        }
        self._parameter_names = tuple(defaults)
        for name, default in defaults.items():
            self.declare_parameter(name, default)
        path = config_path("recorder.yaml", self.config_dir)
        self._config = load_config(path, RecorderConfig)
        robot = load_robot(self.robot, self.config_dir)
        contract = load_contract(self.config_dir)
        self._contract_hash = contract.hash
        safety = load_safety(self.config_dir)
        require_hold(safety)
        self._config_hash = run_hash(robot, contract, safety, self._config)
        self._statics = cell_statics(robot)
        self._state = StatePublisher(self, "recorder")
        self._saying = threading.Lock()  # an episode ends in a thread of its own
        self._recorder: EpisodeRecorder | None = None
        self._ending: list[EpisodeRecorder] = []
        self._latched: list[Subscription] = []
        self._kinds = {topic.name: _message_class(topic) for topic in self._config.topics}
        self._streams = [self._subscribe(t) for t in self._config.topics if t.qos == "stream"]
        self.create_service(Trigger, topics.RECORDER_START, self._on_start)
        self.create_service(SetBool, topics.RECORDER_STOP, self._on_stop)
        self.create_service(Trigger, topics.RECORDER_DISCARD, self._on_discard)
        self._state.publish(HopState.IDLE, progress="ready")
        if self.get_parameter("record").value:
            self.start()

    def start(self) -> None:
        """Begin an episode.

        Raises:
            BagError: one is being recorded, the disk is nearly full or the folder is not usable.
            ConfigError: a parameter is not allowed.
        """
        if self._recorder is not None and self._recorder.running:
            raise BagError(f"{self._recorder.path} is being recorded: stop or discard it first")
        self._forget_latched()
        writer = self._new_writer()
        self._let_go()
        with self._saying:
            self._recorder = EpisodeRecorder(writer, self._config, self._on_end)
            self._state.publish(HopState.ACTIVE, progress=f"recording {writer.path}")
        # Latched topics are subscribed anew, so that each bag begins with everybody's state.
        self._latched = [self._subscribe(t) for t in self._config.topics if t.qos == "latched"]

    def finish(self, label: Label, reason: str = "") -> None:
        """End the episode; its bag is completed in the recording thread.

        Raises:
            BagError: nothing is being recorded.
        """
        recorder = self._let_go()
        self._forget_latched()
        if recorder is None or not recorder.running:
            raise BagError("nothing is being recorded: call /recorder/start first")
        recorder.finish(label, reason)

    def close(self) -> None:
        """Complete what is being recorded: an interrupt loses nothing."""
        if self._recorder is not None and self._recorder.running:
            self.finish("unlabelled", "the recorder was ended")
        self._let_go()
        for recorder in self._ending:
            if not recorder.join(_END_TIMEOUT_S):
                self.get_logger().error(
                    f"{recorder.path} is not complete after {_END_TIMEOUT_S:.0f} s: "
                    f"'hop demos repair' restores it"
                )

    def _let_go(self) -> EpisodeRecorder | None:
        """Return the last recorder; one that the disk's limit ended may still be writing."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self._ending = [other for other in self._ending if not other.join(0.0)] + [recorder]
        return recorder

    def _new_writer(self) -> EpisodeWriter:
        value = {name: self.get_parameter(name).value for name in self._parameter_names}
        if value["source"] not in SOURCES:
            raise ConfigError(
                f"source {value['source']!r} is unknown: use one of {', '.join(SOURCES)}"
            )
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S_%f")[:-3]
        info = EpisodeInfo(
            task=value["task"],
            source=value["source"],
            config_hash=self._config_hash,
            contract_hash=self._contract_hash,
            policy=value["policy"],
            seed=value["seed"] if value["seed"] >= 0 else None,
            extra=_facts(value["facts"])
            | {"robot": self.robot}
            | ({"object": value["object"]} if value["object"] else {}),
        )
        root = self._config.folder(value["root"])
        require_room(root, self._config.min_free_mb)
        return EpisodeWriter(
            root,
            value["task"],
            value["episode"] or now,
            info,
            config=self._config,
            statics=self._statics,
        )

    def _subscribe(self, topic: TopicConfig) -> Subscription:
        qos = STATE_SUBSCRIBER if topic.qos == "latched" else RECORDER
        receive = partial(self._receive, topic.name, topic.type)
        return self.create_subscription(self._kinds[topic.name], topic.name, receive, qos, raw=True)

    def _receive(self, topic: str, type_name: str, cdr: bytes) -> None:
        # EventsExecutor cannot hand over the middleware's own receive stamp: it is taken here.
        recorder = self._recorder
        if recorder is not None:
            recorder.put(topic, type_name, time.time_ns(), cdr)

    def _forget_latched(self) -> None:
        for subscription in self._latched:
            self.destroy_subscription(subscription)
        self._latched = []

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return _answer(response, self.start, "recording")

    def _on_stop(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        label: Label = "success" if request.data else "failure"
        return _answer(response, partial(self.finish, label), f"labelled {label}")

    def _on_discard(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return _answer(response, partial(self.finish, "discarded"), "labelled discarded")

    def _on_end(self, end: EpisodeEnd) -> None:
        """Report an ended episode; called from its recording thread."""
        extra = {
            "label": end.label,
            "messages": str(end.messages),
            "dropped": str(end.dropped),
            "broken_rates": ", ".join(end.broken) or "none",
        }
        state, reason, progress = HopState.IDLE, end.reason, f"saved {end.path}"
        if end.path is None:
            state, progress = HopState.FAULT, "failed"
            self.get_logger().error(end.reason)
        else:
            if end.broken and not reason:
                reason = f"broken rates: {extra['broken_rates']}; see hop demos show"
            self.get_logger().info(f"saved {end.path} ({end.label}, {end.messages} messages)")
        with self._saying:
            recorder = self._recorder
            if recorder is not None and recorder.running:  # the next one, already
                state, reason = HopState.ACTIVE, f"{progress}: {reason}" if reason else progress
                progress = f"recording {recorder.path}"
            self._state.publish(state, reason, progress=progress, extra=extra)


def _message_class(topic: TopicConfig) -> Any:
    """Return the class of the topic's messages.

    Raises:
        ConfigError: it is not installed.
    """
    package, _, name = topic.type.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{topic.name}: {topic.type} is not installed beside ROS ({error}); install {package} "
            "or take the topic out of recorder.yaml"
        ) from error


def _facts(text: str) -> dict[str, str]:
    try:
        return TypeAdapter(dict[str, str]).validate_json(text)
    except ValidationError as error:
        raise ConfigError(
            f"facts {text!r} is no JSON object of texts: {first_problem(error)}"
        ) from error


def _answer(response: Any, act: Callable[[], None], done: str) -> Any:
    """Carry out a request and say in the response how it went."""
    try:
        act()
    except HopError as error:
        response.success, response.message = False, str(error)
    else:
        response.success, response.message = True, done
    return response


main = main_of(RecorderNode)

if __name__ == "__main__":
    main()
