"""The one description of the robot's joints: names, order, limits, scaling, gains and rates.

The order is arm (7), then hand (16) as index, middle, ring, thumb, base to tip. Every boundary to
another order maps by name through `joint_index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from hop_core.config import Config, load_config
from hop_core.errors import ModelError

DATA_FILE = Path(__file__).parent / "data" / "xarm7_allegro.yaml"
ARM = slice(0, 7)
HAND = slice(7, 23)
FINGERS = ("index", "middle", "ring", "thumb")
ARM_JOINTS = tuple(f"joint{i}" for i in range(1, 8))
HAND_JOINTS = tuple(f"allegro_{finger}_{i}" for finger in FINGERS for i in range(4))
JOINT_NAMES = ARM_JOINTS + HAND_JOINTS
# Those that bend the three fingers, of which the first of each only spreads them.
BENDING_JOINTS = tuple(f"allegro_{finger}_{i}" for finger in FINGERS[:3] for i in (1, 2, 3))
# The hand's joints as Wonik's ROS driver orders them, thumb first.
# Source: allegro_hand_ros2, joint00..joint33.
WONIK_JOINTS = tuple(
    f"allegro_{finger}_{i}" for finger in ("thumb", "index", "middle", "ring") for i in range(4)
)
# The order of the HOP release's simulator: thumb before middle and ring.
# Source: HOP release, robot_dataset.
HOP_SIM_JOINTS = ARM_JOINTS + tuple(
    f"allegro_{finger}_{i}" for finger in ("index", "thumb", "middle", "ring") for i in range(4)
)


class Rates(Config):
    """Rates of the loops; periods [s], rates [Hz]."""

    policy_hz: float = Field(gt=0)
    arm_hz: float = Field(gt=0)
    hand_period_s: float = Field(gt=0)
    hand_publish_every: int = Field(ge=1)
    physics_period_s: float = Field(gt=0)


class Mount(Config):
    """The palm on the flange: translation [m] and rotation about the flange's z [rad]."""

    position_m: tuple[float, float, float]
    yaw_rad: float


class ArmActuation(Config):
    """The arm's servo and passive dynamics, 7 figures each.

    Attributes:
        kp, kd: gains [Nm/rad, Nm s/rad].
        torque_limit: [Nm].
        damping, frictionloss, armature: [Nm s/rad, Nm, kg m^2].
    """

    kp: tuple[float, ...] = Field(min_length=7, max_length=7)
    kd: tuple[float, ...] = Field(min_length=7, max_length=7)
    torque_limit: tuple[float, ...] = Field(min_length=7, max_length=7)
    damping: tuple[float, ...] = Field(min_length=7, max_length=7)
    frictionloss: tuple[float, ...] = Field(min_length=7, max_length=7)
    armature: tuple[float, ...] = Field(min_length=7, max_length=7)


class HandActuation(Config):
    """The hand's host-side PD and passive dynamics.

    Attributes:
        torque_per_unit_nm: torque of a command of 1 unit [Nm].
        counts_per_unit: PWM counts on the wire of 1 unit.
        kp, kd, cap: 16 figures each [units/rad, units s/rad, units].
        filter_hz: corner of the low pass on position and velocity [Hz].
        ramp_s: time in which the gains rise from 0 at enable [s].
        damping, frictionloss, armature: of each joint [Nm s/rad, Nm, kg m^2].
    """

    torque_per_unit_nm: float = Field(gt=0)
    counts_per_unit: float = Field(gt=0)
    kp: tuple[float, ...] = Field(min_length=16, max_length=16)
    kd: tuple[float, ...] = Field(min_length=16, max_length=16)
    cap: tuple[float, ...] = Field(min_length=16, max_length=16)
    filter_hz: float = Field(gt=0)
    ramp_s: float = Field(ge=0)
    damping: float = Field(ge=0)
    frictionloss: float = Field(ge=0)
    armature: float = Field(ge=0)


class Actuation(Config):
    """Actuation of arm and hand."""

    arm: ArmActuation
    hand: HandActuation


class EmbodimentData(Config):
    """The embodiment file as it stands; see `data/xarm7_allegro.yaml` for units and sources."""

    name: str
    joints: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    late_serial_limits: dict[str, tuple[float, float]]
    policy_lower: tuple[float, ...]
    policy_upper: tuple[float, ...]
    velocity_limit: tuple[float, ...]
    acceleration_limit: tuple[float, ...]
    home: tuple[float, ...]
    rates: Rates
    mount: Mount
    actuation: Actuation

    @model_validator(mode="after")
    def _consistent(self) -> EmbodimentData:
        if self.joints != JOINT_NAMES:
            raise ValueError(f"joints must be {list(JOINT_NAMES)} in this order")
        for key in (
            "lower",
            "upper",
            "policy_lower",
            "policy_upper",
            "velocity_limit",
            "acceleration_limit",
            "home",
        ):
            if len(getattr(self, key)) != len(JOINT_NAMES):
                raise ValueError(
                    f"{key} must have {len(JOINT_NAMES)} figures, got {len(getattr(self, key))}"
                )
        for joint, low, high, home in zip(
            self.joints, self.lower, self.upper, self.home, strict=True
        ):
            if not low < high or not low <= home <= high:
                raise ValueError(
                    f"{joint}: needs lower < upper with home between, got {low}, {high}, {home}"
                )
        return self


class Embodiment:
    """The robot's joint-space figures as read-only arrays.

    Attributes (all (23,) float64, order `JOINT_NAMES`):
        lower, upper: device position limits [rad].
        policy_lower, policy_upper: what -1 and +1 of a policy's joint values mean [rad].
        velocity_limit: device speed limit [rad/s].
        acceleration_limit: device acceleration limit [rad/s^2].
        late_serial: whether the arm is of series 1305 or later.
        home: pose where a deployment starts and ends [rad].
        damping, armature, frictionloss: passive joint dynamics [Nm s/rad, kg m^2, Nm].
    """

    def __init__(self, data: EmbodimentData, late_serial: bool = False) -> None:
        """Build the arrays of `data`; `late_serial` takes the limits of series 1305 on."""
        self.data = data
        self.name = data.name
        self.rates = data.rates
        self.arm = data.actuation.arm
        self.hand = data.actuation.hand
        self.lower = _frozen(data.lower)
        self.upper = _frozen(data.upper)
        self.late_serial = late_serial
        if late_serial:
            self.lower, self.upper = _with_limits(self.lower, self.upper, data.late_serial_limits)
        self.policy_lower = _frozen(data.policy_lower)
        self.policy_upper = _frozen(data.policy_upper)
        self.velocity_limit = _frozen(data.velocity_limit)
        self.acceleration_limit = _frozen(data.acceleration_limit)
        self.home = _frozen(data.home)
        self.damping = _frozen((*self.arm.damping, *[self.hand.damping] * 16))
        self.armature = _frozen((*self.arm.armature, *[self.hand.armature] * 16))
        self.frictionloss = _frozen((*self.arm.frictionloss, *[self.hand.frictionloss] * 16))

    def scale(self, q: np.ndarray) -> np.ndarray:
        """Return joint angles (…, 23) [rad] as policy values, [-1, 1] on the policy scale."""
        return np.asarray(
            2.0 * (q - self.policy_lower) / (self.policy_upper - self.policy_lower) - 1.0
        )

    def clip(self, q: np.ndarray) -> np.ndarray:
        """Return (…, 23) joint angles [rad] moved into the device limits."""
        return np.asarray(np.clip(q, self.lower, self.upper))


def _frozen(values: Sequence[float]) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


def _with_limits(
    lower: np.ndarray, upper: np.ndarray, limits: dict[str, tuple[float, float]]
) -> tuple[np.ndarray, np.ndarray]:
    low, high = lower.copy(), upper.copy()
    for joint, (a, b) in limits.items():
        i = JOINT_NAMES.index(joint)
        low[i], high[i] = a, b
    return _frozen(list(low)), _frozen(list(high))


@lru_cache(maxsize=4)
def load_embodiment(path: Path | None = None, late_serial: bool = False) -> Embodiment:
    """Return the embodiment described by `path` (default: the packaged xArm7 + right Allegro).

    Raises:
        ConfigError: the file is missing or breaks a rule.
    """
    return Embodiment(load_config(path or DATA_FILE, EmbodimentData), late_serial)


def joint_index(names: Sequence[str], into: Sequence[str] = JOINT_NAMES) -> np.ndarray:
    """Return the permutation that reorders a vector named `names` into the order `into`.

    Args:
        names: names of the joints in the order in which the values arrive.
        into: wanted order; each must occur in `names` exactly once.

    Returns:
        (len(into),) int index i such that `values[i]` is in the order `into`.

    Raises:
        ModelError: a joint is missing, unknown or named twice.
    """
    position = {name: i for i, name in enumerate(names)}
    if len(position) != len(names):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        raise ModelError(
            f"joint names occur twice: {', '.join(twice)}; each joint must be named once"
        )
    missing = [name for name in into if name not in position]
    unknown = [name for name in names if name not in set(into)]
    if missing or unknown:
        raise ModelError(
            f"joint names do not fit: missing {missing or 'none'}, unknown {unknown or 'none'}; "
            f"expected {list(into)}"
        )
    return np.array([position[name] for name in into], dtype=np.intp)
