"""What the policy's tests share: one thread for torch, and a toy robot that is recorded."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hop_core import topics
from hop_core.config import config_path, load_config
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES, load_embodiment
from hop_policy import messages
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.contract import PolicyContract
from hop_policy.episode_info import EpisodeInfo
from hop_policy.live_observer import LiveObserver, TickObservation
from hop_policy.model import PolicyConfig
from hop_policy.statics import Statics
from hop_policy.train_config import TrainConfig

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
TICK = 50 * MS
TARGET_DELAY = 13 * MS
"""From tick to the receipt of the accepted target, as on a real graph."""
WIDTH, HEIGHT, FOCAL = 160, 90, 66.0
HOME = load_embodiment().home


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Compute on one core: on a busy machine torch's threads wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shipped_network() -> PolicyConfig:
    """The network that depth policies are shipped with, small."""
    shipped = load_config(config_path("train.yaml"), TrainConfig).model
    encoder = shipped.encoder.model_copy(update={"channels": (4, 4, 8, 8)})
    small = {"layers": 2, "width": 32, "heads": 2, "context": 8, "encoder": encoder}
    return shipped.model_copy(update=small)


@pytest.fixture
def toy_stream() -> type["ToyStream"]:
    """Makes toy streams, each of its own seed."""
    return ToyStream


def arm_names_shuffled() -> list[str]:
    return list(reversed(ARM_JOINTS))


class ToyStream:
    """A second of robot: streams with delays and jitter, and a live policy, in receive order."""

    def __init__(self, ticks: int = 20, seed: int = 0, targets: bool = True) -> None:
        self.rng = np.random.default_rng(seed)
        self.events: list[tuple[int, str, object]] = []  # (receive time, topic, message)
        end = T0 + (ticks + 2) * TICK
        self.events.append((T0 - 300 * MS, topics.CAMERA_INFO, self.camera_info(T0)))
        self._stream(topics.ARM_STATES, 8 * MS, 2 * MS, end, self.arm)
        self._stream(topics.HAND_STATES, 6 * MS, 2 * MS, end, self.hand)
        self._stream(topics.DEPTH, 33 * MS, 20 * MS, end, self.depth)
        self.tick_times = [T0 + k * TICK for k in range(ticks)]
        if targets:
            for k, tick in enumerate(self.tick_times):
                self.events.append((tick + TARGET_DELAY, topics.SAFE_TARGET, self.target(k, tick)))
        self.events.sort(key=lambda event: event[0])

    def _stream(self, topic, period, delay, end, make) -> None:
        for stamp in range(T0 - 200 * MS, end, period):
            jitter = int(self.rng.integers(0, 4 * MS))
            self.events.append((stamp + delay + jitter, topic, make(stamp)))

    def camera_info(self, stamp: int) -> object:
        k = np.array([[FOCAL, 0, 79.5], [0, FOCAL, 44.5], [0, 0, 1]])
        return messages.camera_info(k, WIDTH, HEIGHT, stamp, "camera")

    def arm(self, stamp: int) -> object:
        q = HOME[:7] + self.rng.normal(0, 0.1, 7)
        return messages.joint_state(arm_names_shuffled(), q, 0 * q, 0 * q, stamp)

    def hand(self, stamp: int) -> object:
        q = HOME[7:] + self.rng.normal(0, 0.1, 16)
        return messages.joint_state(HAND_JOINTS, q, 0 * q, 0 * q, stamp)

    def depth(self, stamp: int) -> object:
        pixels = self.rng.integers(0, 1500, (HEIGHT, WIDTH), dtype=np.uint16)
        return messages.depth_image(pixels, stamp, "camera")

    def target(self, k: int, tick: int) -> object:
        return messages.joint_trajectory(JOINT_NAMES, HOME + 0.01 * k, tick, "abcd")

    def run_live(self, contract: PolicyContract) -> list[TickObservation]:
        """Feed the live observer in receive order; return what it saw at each tick."""
        observer, seen = LiveObserver(contract), []
        pending = list(self.events)
        for tick in self.tick_times:
            while pending and pending[0][0] <= tick:
                _, topic, message = pending.pop(0)
                if topic == topics.CAMERA_INFO:
                    observer.receive_camera_info(message)
                for stream, name in topics.STREAMS.items():
                    if name == topic:
                        observer.receive(stream, message)
            seen.append(observer.observe(tick))
        assert sum(observer.late.values()) == 0
        return seen

    def record(
        self, root: Path, live: list[TickObservation], statics: Statics | None = None, **info
    ) -> Path:
        ticks = [
            (s.tick_ns + 9 * MS, topics.TICK, messages.tick(s.tick_ns, s.stamps)) for s in live
        ]
        about = EpisodeInfo(task="toy", source=info.pop("source", "expert"), **info)
        name = f"e{len(list(root.glob('toy/*')))}"
        with EpisodeWriter(root, "toy", name, about, statics=statics) as writer:
            for received, topic, message in sorted([*self.events, *ticks], key=lambda e: e[0]):
                writer.write(topic, received, message)
            return writer.finish("success")
