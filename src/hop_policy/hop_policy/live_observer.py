"""Observations of a running robot: messages in as they arrive, one observation out per tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hop_core.align import TickAligner
from hop_core.errors import AlignmentError
from hop_policy.contract import PolicyContract
from hop_policy.decode import camera_view
from hop_policy.observation import CameraView, Observation
from hop_policy.streams import ObservationBuilder, StreamDecoder, stream_rules


@dataclass(frozen=True)
class TickObservation:
    """What the policy sees at one tick.

    Attributes:
        tick_ns: time of the tick, ROS time.
        stamps: {stream: stamp [ns]} of the samples used.
        observation: proprio (1, 23) and vision (1, size, size).
    """

    tick_ns: int
    stamps: Mapping[str, int]
    observation: Observation


class LiveObserver:
    """Collects the streams of a policy; messages may come from another thread than the ticks.

    Args:
        contract: what the policy expects.

    Raises:
        ConfigError: the policy sees what no topic carries.
    """

    def __init__(self, contract: PolicyContract) -> None:
        self._contract = contract
        self._decoder = StreamDecoder()
        self._aligner: TickAligner[np.ndarray] = TickAligner(stream_rules(contract))
        self._view: CameraView | None = None
        self._builder: ObservationBuilder | None = None

    @property
    def late(self) -> Mapping[str, int]:
        """Messages per stream that came after the tick that should have used them."""
        return self._aligner.late

    def receive(self, stream: str, message: Any) -> None:
        """Take a message of a stream.

        Raises:
            ModelError: joint names are not the robot's.
            AlignmentError: values are missing or not finite, or the image is damaged.
        """
        self._aligner.insert(stream, *self._decoder.decode(stream, message))

    def receive_camera_info(self, message: Any) -> None:
        """Take the camera's size and intrinsics; only a change of them costs anything.

        Raises:
            AlignmentError: the camera is not calibrated.
            ConfigError: the camera cannot give the policy's view.
        """
        view = camera_view(message)
        if view != self._view:
            self._builder = ObservationBuilder(self._contract, view)
            self._view = view

    def observe(self, tick_ns: int) -> TickObservation:
        """Return the observation of the tick at `tick_ns` (ROS time).

        Raises:
            AlignmentError: a stream has nothing fresh enough, or there is no camera_info yet.
        """
        builder = self._builder
        if builder is None:
            raise AlignmentError("camera_info: none received yet")
        chosen = self._aligner.select(tick_ns)
        stamps = {stream: stamp_ns for stream, (stamp_ns, _) in chosen.items()}
        return TickObservation(tick_ns, stamps, builder.observe(chosen))

    def clear(self) -> None:
        """Forget all samples, for example when the clock was set."""
        self._aligner.clear()
