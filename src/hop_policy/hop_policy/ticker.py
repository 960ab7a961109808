"""One policy tick, free of ROS: observation by the tick rule, network, target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from hop_core.clock import ClockOffset
from hop_core.errors import AlignmentError, DeviceError
from hop_policy.cadence import CadenceMeter
from hop_policy.live_observer import LiveObserver, TickObservation
from hop_policy.observation import Observation
from hop_policy.tick_replay import HISTORY_GAP_NS


class Actor(Protocol):
    """What a tick needs of a policy (`hop_policy.inference.Policy` of one robot)."""

    def act(self, observation: Observation) -> np.ndarray:
        """Return the targets (1, 23) [rad] that answer the observation."""

    def reset(self) -> None:
        """Forget the history."""


Send = Callable[[TickObservation, np.ndarray], None]
"""Sends a tick's target (23,) [rad] and the tick itself."""


class PolicyTicker:
    """Answers the deadlines of a 20 Hz loop.

    Args:
        observer: the streams.
        policy: the network with the history of one robot.
        send: gets the observation and the target (23,) [rad] of each answered tick.
        on_refusal: called with the reason when ticks begin to be refused, and when another stream
            becomes the reason; with "" when ticks are answered again.
        clock: ROS and monotonic time; injected by tests.
        monotonic_ns: for durations; injected by tests.
    """

    def __init__(
        self,
        observer: LiveObserver,
        policy: Actor,
        send: Send,
        on_refusal: Callable[[str], None],
        clock: ClockOffset | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._observer = observer
        self._policy = policy
        self._send = send
        self._on_refusal = on_refusal
        self._clock = clock or ClockOffset(monotonic_ns=monotonic_ns)
        self._monotonic_ns = monotonic_ns
        self._last_tick_ns = 0
        self._forget = threading.Event()
        self._refused_for = ""
        self.meter = CadenceMeter()

    def start(self) -> None:
        """Begin a run: no history, fresh figures; clocks that were set before are no fault."""
        if not self._clock.check():
            self._observer.clear()
        self.meter = CadenceMeter()
        self._refused_for = ""
        self.forget()

    def forget(self) -> None:
        """Let the next tick begin a new history, as at the start of an episode; from any thread."""
        self._forget.set()

    def step(self, deadline_ns: int) -> None:
        """Answer the deadline `deadline_ns` (monotonic).

        Raises:
            DeviceError: the clock was set while the policy ran.
            ModelError: the network's output is not finite.
        """
        if not self._clock.check():
            self._observer.clear()
            raise DeviceError(
                "ROS time was stepped by more than 5 ms while the policy ran: let the clock settle "
                "(chrony), then start the policy again"
            )
        tick_ns = self._clock.to_ros(deadline_ns)
        try:
            seen = self._observer.observe(tick_ns)
        except AlignmentError as error:
            self._refuse(str(error))
            return
        if self._forget.is_set() or tick_ns - self._last_tick_ns > HISTORY_GAP_NS:
            self._forget.clear()
            self._policy.reset()
        self._last_tick_ns = tick_ns
        before_ns = self._monotonic_ns()
        target = self._policy.act(seen.observation)[0]
        forward_ns = self._monotonic_ns() - before_ns
        self._send(seen, target)
        self.meter.answered(self._monotonic_ns() - deadline_ns, forward_ns)
        if self._refused_for:
            self._refused_for = ""
            self._on_refusal("")

    def _refuse(self, reason: str) -> None:
        stream = reason.split(":")[0]
        self.meter.refused[stream] += 1
        if stream != self._refused_for:
            self._refused_for = stream
            self._on_refusal(reason)
