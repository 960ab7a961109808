"""Configuration of the trainer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hop_core.config import Config
from hop_core.errors import ConfigError
from hop_policy.contract import VisionKind
from hop_policy.model import PolicyConfig
from hop_policy.segments import Segmenting

LossUnits = Literal["scaled", "whitened"]
LogName = Literal["tensorboard", "wandb"]


class AugmentConfig(Config):
    """Random changes of training batches; all off by default but the paper's noise.

    Attributes:
        proprio_noise: deviation of noise on proprioception, policy units. Source: HOP release, 0.1;
            that is 0.63 rad on four joints of the arm.
        arm_noise_std, hand_noise_std: the same in deviations of each joint over the training set.
            Noise on the arm hides where a demonstrator was already heading, which a history of
            exact joints gives away, and so makes the policy look.
        depth_shift_px: largest shift of a segment's depth, pooled pixels, each direction: a turned
            camera.
        depth_scale: largest relative change of size of a segment's depth image.
        depth_offset_m: largest change of all depths of a segment [m]: a moved camera.
        table_turn_rad, table_shift_m: largest turn about the vertical and largest shift, each
            direction, of all that a segment's table view shows: what levelling leaves of a bumped
            camera.
        displaced_m: largest shift, right or ahead, of what stands on the table in frames that teach
            an aim. Height tells that from the hand; see `TrainConfig.aim_object_m` and
            `aim_goal_m`.
        displaced_apart: what stands nearer to where a hand takes hold than to where it brings what
            it holds is displaced by another draw than what stands nearer to that goal, so that
            neither tells where the other is. Needs `TrainConfig.aim_goal_m`.
        depth_noise_m: deviation of depth noise at 1 m; grows with range squared, as stereo's does.
        depth_dropout: share of pooled pixels that read far, drawn per frame.
        cloud_noise_m: deviation of noise on the points of clouds [m].
    """

    proprio_noise: float = Field(default=0.1, ge=0)
    arm_noise_std: float = Field(default=0.0, ge=0)
    hand_noise_std: float = Field(default=0.0, ge=0)
    depth_shift_px: float = Field(default=0.0, ge=0)
    depth_scale: float = Field(default=0.0, ge=0, lt=0.5)
    depth_offset_m: float = Field(default=0.0, ge=0)
    table_turn_rad: float = Field(default=0.0, ge=0)
    table_shift_m: float = Field(default=0.0, ge=0)
    displaced_m: float = Field(default=0.0, ge=0)
    displaced_apart: bool = False
    depth_noise_m: float = Field(default=0.0, ge=0)
    depth_dropout: float = Field(default=0.0, ge=0, lt=1)
    cloud_noise_m: float = Field(default=0.0, ge=0)


class TrainConfig(Config):
    """What a training run does; defaults are the paper's.

    Attributes:
        model: shape of the network.
        augment: random changes of the batches.
        seed: of weights, split, batches and augmentation.
        val_fraction: share of groups of episodes held out.
        max_val_episodes: held-out episodes that are judged at each validation, drawn once; null is
            all.
        segments: segments of a batch, over all processes.
        windows: windows of a segment; a batch trains on segments * windows of them.
        stride: ticks from one window of a segment to the next.
        whiten: give the network each joint in deviations of the training set; off is the paper.
        whiten_floor_rad: least deviation [rad], for joints that hardly move.
        loss_units: L1 in policy units (the paper), or in deviations of each joint's label.
        foresight_weight: of the vision token's error in foreseeing labels; see `PolicyConfig`.
        aim_weight: of its error in telling where the hand goes next, where `model.aim` is on.
        aim_frames: frames of a batch that teach that, over all processes; 0 does not teach it, for
            data in which no hand takes hold of anything.
        aim_first: share of the budget at whose beginning nothing else is learnt, where it is on.
        aim_object_m: height over the table of the objects that hands take hold of: while a hand is
            above, they can be displaced. 0 where they are too tall for that.
        aim_goal_m: height of what these are brought to in demonstrations: the aim is where that
            ends, too, and while hand and object are above, what stands there can be displaced. 0
            where they are brought to nothing that stands on the table.
        learning_rate: of AdamW, after warm-up.
        schedule: constant (the paper), or cosine down to a tenth over the budget.
        warmup_steps: steps over which the learning rate rises.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        ema_decay: decay of the averaged weights that are validated and kept; 0 keeps the plain
            ones.
        max_steps: budget in steps; null is none.
        max_minutes: budget in minutes of training, over all resumes; null is none.
        validate_every: steps between validations, each of which also saves.
        precision: of the network while it trains; bfloat16 (autocast) where the hardware has it.
        compile: have torch compile the loss; pays on GPUs, after a minute or two.
        logs: other programs that are given the curves.
        log_every: steps between the training losses that they are given.
        device: auto takes a GPU if there is one.
    """

    model: PolicyConfig = PolicyConfig()
    augment: AugmentConfig = AugmentConfig()
    seed: int = Field(default=0, ge=0, lt=2**31)
    val_fraction: float = Field(default=0.1, gt=0, lt=1)
    max_val_episodes: int | None = Field(default=None, ge=1)
    segments: int = Field(default=16, ge=1)
    windows: int = Field(default=16, ge=1)
    stride: int = Field(default=1, ge=1)
    whiten: bool = False
    whiten_floor_rad: float = Field(default=0.01, gt=0)
    foresight_weight: float = Field(default=0.5, ge=0)
    aim_weight: float = Field(default=1.0, gt=0)
    aim_frames: int = Field(default=128, ge=0)
    aim_first: float = Field(default=0.0, ge=0, lt=1)
    aim_object_m: float = Field(default=0.18, ge=0)
    aim_goal_m: float = Field(default=0.0, ge=0)
    loss_units: LossUnits = "scaled"
    learning_rate: float = Field(default=1e-4, gt=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=0.25, gt=0)
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    max_steps: int | None = Field(default=None, ge=1)
    max_minutes: float | None = Field(default=None, gt=0)
    validate_every: int = Field(default=500, ge=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    logs: tuple[LogName, ...] = ()
    log_every: int = Field(default=50, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @property
    def cut(self) -> Segmenting:
        """How batches are cut into windows."""
        return Segmenting(self.model.context, self.windows, self.stride, self.model.foresight)

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.max_steps is None and self.max_minutes is None:
            raise ValueError("give max_steps or max_minutes, or the run would never end")
        if self.loss_units == "whitened" and not self.whiten:
            raise ValueError("loss_units: whitened needs whiten: true")
        augment = self.augment
        if augment.displaced_apart and not (augment.displaced_m and self.aim_goal_m):
            raise ValueError("augment.displaced_apart needs augment.displaced_m and aim_goal_m")
        return self

    def require_view(self, vision: VisionKind) -> None:
        """Passes if the network has the view that the augmentation moves; clouds are not moved.

        Not a rule of the configuration alone: what is seen is the contract's.

        Raises:
            ConfigError: it sees depth images as they are.
        """
        augment = self.augment
        moved = augment.table_turn_rad or augment.table_shift_m or augment.displaced_m
        if vision == "depth" and moved and self.model.encoder.view != "table":
            raise ConfigError(
                "augment.table_turn_rad, table_shift_m and displaced_m move a table view, which "
                "this network has not: set them to 0 (--set), train as the paper does (--config "
                "train_paper.yaml), or take a network with model.encoder.view: table"
            )
