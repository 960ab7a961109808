"""The streams of an observation: which topics, which message of each, and what they become.

The live node and the dataset both go through this module, `hop_core.align` and
`hop_policy.observation`; they differ only in where the messages come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hop_core.align import StreamRule
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS
from hop_core.errors import AlignmentError, ConfigError
from hop_policy.contract import PolicyContract
from hop_policy.decode import JointReader, depth_pixels, stamp_ns
from hop_policy.observation import CameraView, DepthPooling, JointScaling, Observation

DEPTH = "depth"
ARM = "arm"
HAND = "hand"

_IMAGES = 16  # kept: half a second of them, of which a full one takes megabytes

Chosen = Mapping[str, tuple[int, np.ndarray]]
"""What a tick uses: {stream: (stamp [ns], decoded sample)}."""


def stream_rules(contract: PolicyContract) -> dict[str, StreamRule]:
    """Return which message of each stream a tick uses, by stream name.

    Raises:
        ConfigError: the policy sees point clouds, which no topic carries.
    """
    if contract.vision != "depth":
        raise ConfigError(
            f"a policy with vision {contract.vision!r} runs in lock-step only: no topic carries "
            f"it; use a depth policy on the ROS graph"
        )
    depth, joint = contract.depth_stream, contract.joint_stream
    return {
        DEPTH: StreamRule(depth.lag_ns, depth.max_age_ns, _IMAGES),
        ARM: StreamRule(joint.lag_ns, joint.max_age_ns),
        HAND: StreamRule(joint.lag_ns, joint.max_age_ns),
    }


class StreamDecoder:
    """Turns a message of a stream into its stamp and sample."""

    def __init__(self) -> None:
        arm, hand = JointReader(ARM_JOINTS), JointReader(HAND_JOINTS)
        self._decode: dict[str, Callable[[Any], np.ndarray]] = {
            DEPTH: depth_pixels,
            ARM: lambda message: arm.read(message.name, message.position),
            HAND: lambda message: hand.read(message.name, message.position),
        }

    def decode(self, stream: str, message: Any) -> tuple[int, np.ndarray]:
        """Return (stamp [ns], sample) of a message.

        The sample is (7,) arm or (16,) hand joint angles [rad], or (H, W) depth pixels as sent.

        Raises:
            ModelError: joint names are not the robot's.
            AlignmentError: values are missing or not finite, or the image is damaged.
        """
        return stamp_ns(message.header), self._decode[stream](message)


class ObservationBuilder:
    """Makes observations of the samples that ticks chose.

    Args:
        contract: what the policy expects.
        view: the depth camera, as its camera_info says.

    Raises:
        ConfigError: the policy's crop does not fit into the camera's image.
    """

    def __init__(self, contract: PolicyContract, view: CameraView) -> None:
        crop = contract.depth.crop(view.width, view.height, view.fx, view.fy, view.cx, view.cy)
        self._view = view
        self._scaling = JointScaling(contract)
        self._pooling = DepthPooling(contract.depth, crop)

    def proprio(self, arm: np.ndarray, hand: np.ndarray) -> np.ndarray:
        """Return proprioception (..., 23) float32 in policy units of joints (..., 7), (..., 16)."""
        return self._scaling.scale(np.concatenate([arm, hand], axis=-1))

    def depth(self, pixels: np.ndarray) -> np.ndarray:
        """Return the vision (1, size, size) float32 [m] of one depth image (H, W) as sent.

        Raises:
            AlignmentError: its size is not that of the camera_info.
        """
        if pixels.shape != (self._view.height, self._view.width):
            raise AlignmentError(
                f"depth: the image is {pixels.shape[1]}x{pixels.shape[0]} but camera_info says "
                f"{self._view.width}x{self._view.height}: restart the camera driver"
            )
        return self._pooling(pixels[None])

    def observe(self, chosen: Chosen) -> Observation:
        """Return the observation of one tick: proprio (1, 23), vision (1, size, size).

        Raises:
            AlignmentError: the depth image's size is not that of the camera_info.
        """
        proprio = self.proprio(chosen[ARM][1][None], chosen[HAND][1][None])
        return Observation(proprio, self.depth(chosen[DEPTH][1]))
