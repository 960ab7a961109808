"""A tick refuses what it must, keeps or forgets the history as the data does, and is counted."""

import json

import numpy as np
import pytest

from hop_core.clock import ClockOffset
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS
from hop_core.errors import DeviceError
from hop_core.rate import LoopStats
from hop_policy import messages
from hop_policy.contract import PolicyContract
from hop_policy.live_observer import LiveObserver
from hop_policy.ticker import PolicyTicker

MS = 1_000_000
TICK = 50 * MS
OFFSET = 1_700_000_000_000_000_000


class Clock:
    """Monotonic and ROS time that only the test moves."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.offset_ns = OFFSET

    def monotonic(self) -> int:
        return self.now_ns

    def ros(self) -> int:
        return self.now_ns + self.offset_ns


class CountingPolicy:
    """Answers with the length of its history; takes 3 ms."""

    def __init__(self, clock: Clock) -> None:
        self.history = 0
        self._clock = clock

    def act(self, observation) -> np.ndarray:
        self.history += 1
        self._clock.now_ns += 3 * MS
        return np.full((1, 23), float(self.history))

    def reset(self) -> None:
        self.history = 0


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.observer = LiveObserver(PolicyContract())
        k = np.array([[66.0, 0, 79.5], [0, 66.0, 44.5], [0, 0, 1]])
        self.observer.receive_camera_info(messages.camera_info(k, 160, 90, OFFSET, "camera"))
        self.sent, self.reasons = [], []
        self.ticker = PolicyTicker(
            self.observer,
            CountingPolicy(self.clock),
            lambda seen, target: self.sent.append((seen.tick_ns, target[0])),
            self.reasons.append,
            ClockOffset(self.clock.ros, self.clock.monotonic),
            self.clock.monotonic,
        )

    def tick(self, k: int, fresh: bool = True) -> None:
        if fresh:
            stamp = OFFSET + k * TICK - 40 * MS
            for stream, joints in (("arm", ARM_JOINTS), ("hand", HAND_JOINTS)):
                zero = np.zeros(len(joints))
                state = messages.joint_state(joints, zero, zero, zero, stamp)
                self.observer.receive(stream, state)
            depth = np.full((90, 160), 500, np.uint16)
            self.observer.receive("depth", messages.depth_image(depth, stamp, "camera"))
        self.clock.now_ns = k * TICK
        self.ticker.step(k * TICK)


def test_target_answers_the_deadline_in_ros_time() -> None:
    bench = Bench()
    bench.tick(1)
    assert bench.sent == [(OFFSET + TICK, 1.0)]


def test_stale_stream_refuses_counts_and_says_why_on_change() -> None:
    bench = Bench()
    bench.tick(1)
    bench.tick(2, fresh=False)
    bench.tick(3, fresh=False)
    bench.tick(4)
    assert [tick for tick, _ in bench.sent] == [OFFSET + TICK, OFFSET + 4 * TICK]
    assert bench.reasons == [
        "arm: 90 ms old, the limit is 50 ms",
        "depth: 140 ms old, the limit is 100 ms",
        "",
    ]
    assert bench.ticker.meter.refused == {"arm": 1, "depth": 1}


def test_history_survives_three_periods_and_not_four() -> None:
    bench = Bench()
    for k in (1, 2, 5, 9):
        bench.tick(k)
    assert [length for _, length in bench.sent] == [1, 2, 3, 1]


def test_start_and_forget_begin_a_new_history() -> None:
    bench = Bench()
    bench.tick(1)
    bench.tick(2)
    bench.ticker.forget()
    bench.tick(3)
    bench.ticker.start()
    bench.tick(4)
    assert [length for _, length in bench.sent] == [1, 2, 1, 1]
    assert bench.ticker.meter.targets == 1


def test_stepped_clock_is_a_fault_and_forgets_the_samples() -> None:
    bench = Bench()
    bench.tick(1)
    bench.clock.offset_ns += 6 * MS
    with pytest.raises(DeviceError, match="stepped by more than 5 ms"):
        bench.tick(2)
    bench.tick(3, fresh=False)
    assert bench.reasons == ["depth: no sample yet"]


def test_report_measures_from_the_deadline_and_the_network_alone() -> None:
    bench = Bench()
    bench.tick(1)
    report = bench.ticker.meter.report(LoopStats(20.0, 1, 0, 0.1, 0.2), {"depth": 0}, {})
    assert report.tick_to_target_p50_ms == pytest.approx(3.0)
    assert report.forward_p99_ms == pytest.approx(3.0)
    assert report.as_text()["late_observations"] == "depth 0"
    assert "policy_hz" in report.table()


def test_a_report_of_no_tick_is_strict_json() -> None:
    report = Bench().ticker.meter.report(LoopStats(20.0, 0, 0, 0.1, 0.2), {}, {})
    figures = json.loads(report.as_json(), parse_constant=lambda name: pytest.fail(name))
    assert figures["forward_p50_ms"] is None
    assert figures["policy_hz"] == 20.0
