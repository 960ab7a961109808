"""Configuration of Eq. 1: which human keypoint meets which robot point, and how it is solved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field, field_validator, model_validator

from hop_core.config import Config, config_path, load_config, validate
from hop_core.embodiment import ARM, FINGERS, JOINT_NAMES
from hop_core.robot_model import TIP_SITES

KEYPOINTS = 21  # of a human hand, OpenPose order
HAND_FRAMES = (
    "palm",
    *(
        f"{finger}_{link}"
        for finger in FINGERS
        for link in ("base", "proximal", "medial", "distal")
    ),
    *TIP_SITES,
)
_NAME = Field(pattern=r"^[a-z][a-z0-9_]*$")


class Correspondence(Config):
    """One human keypoint and the point of the robot that shall meet it.

    Attributes:
        name: of the pair.
        keypoint: human keypoint, OpenPose order.
        frame: body or site of the robot's hand, one of `HAND_FRAMES`.
        offset_m: (3,) of the robot's point in `frame`.
        weight: w_k of Eq. 1, without unit.
        scored: whether the pair's distance counts as retargeting error.
    """

    name: str = _NAME
    keypoint: int = Field(ge=0, lt=KEYPOINTS)
    frame: str
    offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    weight: float = Field(gt=0.0)
    scored: bool

    @field_validator("frame")
    @classmethod
    def _known(cls, frame: str) -> str:
        if frame not in HAND_FRAMES:
            raise ValueError(f"unknown frame; the hand has {', '.join(HAND_FRAMES)}")
        return frame


class LmConfig(Config):
    """Settings of the projected Levenberg-Marquardt solver.

    Attributes:
        ftol_rel: a step that lowers the cost by a smaller share ends the search.
        max_iterations: most steps tried.
        damping_warm, damping_cold: first damping mu [m^2/rad^2] from a near and from a far start.
        cold_distance_m: a start is far when the weighted mean distance of the points from their
            goals is larger.
        damping_up, damping_down: factors of mu after a refused and after an accepted step.
        damping_limit: a step refused at a larger mu ends the search: nothing lower is near.
    """

    ftol_rel: float = Field(gt=0.0, lt=1.0)
    max_iterations: int = Field(ge=1)
    damping_warm: float = Field(gt=0.0)
    damping_cold: float = Field(gt=0.0)
    cold_distance_m: float = Field(gt=0.0)
    damping_up: float = Field(gt=1.0)
    damping_down: float = Field(gt=0.0, lt=1.0)
    damping_limit: float = Field(gt=0.0)

    @model_validator(mode="after")
    def _ordered(self) -> LmConfig:
        if not self.damping_warm <= self.damping_cold < self.damping_limit:
            raise ValueError(
                f"needs damping_warm <= damping_cold < damping_limit, got {self.damping_warm}, "
                f"{self.damping_cold}, {self.damping_limit}"
            )
        return self


class NloptConfig(Config):
    """Settings of NLopt's LD_LBFGS.

    Attributes:
        ftol_rel: as NLopt defines it.
        max_evaluations: most evaluations of cost and gradient.
        vector_storage: pairs of vectors kept.
    """

    ftol_rel: float = Field(gt=0.0, lt=1.0)
    max_evaluations: int = Field(ge=1)
    vector_storage: int = Field(ge=1)


class RetargetConfig(Config):
    """All of `retarget.yaml`.

    Attributes:
        scale: factor on the human hand; 1 keeps metric tips on the object.
        lambda_m2_per_rad2: lambda of Eq. 1.
        arm_pull: factor on lambda for the joints of the arm; 1 is Eq. 1 as the paper has it.
        points: the correspondence, in the order of the K points everywhere.
        lm, nlopt: settings of the solvers.
    """

    scale: float = Field(gt=0.1, lt=10.0)
    lambda_m2_per_rad2: float = Field(gt=0.0)
    arm_pull: float = Field(gt=0.0)
    points: tuple[Correspondence, ...] = Field(min_length=1)
    lm: LmConfig
    nlopt: NloptConfig

    @model_validator(mode="after")
    def _unambiguous(self) -> RetargetConfig:
        names = [point.name for point in self.points]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"points are named twice: {', '.join(twice)}")
        if not any(point.scored for point in self.points):
            raise ValueError("at least one of the points must be scored")
        return self

    @property
    def lambdas(self) -> np.ndarray:
        """(23,) lambda of each joint [m^2/rad^2], order JOINT_NAMES."""
        values = np.full(len(JOINT_NAMES), self.lambda_m2_per_rad2)
        values[ARM] *= self.arm_pull
        return values

    @property
    def weights(self) -> np.ndarray:
        """(K,) weights w_k."""
        return np.array([point.weight for point in self.points])

    @property
    def scored(self) -> np.ndarray:
        """(K,) bool, which points count as retargeting error."""
        return np.array([point.scored for point in self.points])

    @property
    def keypoints(self) -> np.ndarray:
        """(K,) int, the human keypoint of each point."""
        return np.array([point.keypoint for point in self.points])

    def with_lambda(self, value_m2_per_rad2: float) -> RetargetConfig:
        """Return the same configuration with another lambda.

        Raises:
            ConfigError: it is not positive.
        """
        values = {**self.model_dump(), "lambda_m2_per_rad2": value_m2_per_rad2}
        return validate(values, RetargetConfig, "lambda")


def load_retarget(config_dir: Path | str | None = None) -> RetargetConfig:
    """Return `retarget.yaml`.

    Raises:
        ConfigError: it is missing or breaks a rule.
    """
    return load_config(config_path("retarget.yaml", config_dir), RetargetConfig)
