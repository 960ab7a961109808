"""Vision encoders: one frame in, one token out.

A new one is a subclass of `VisionEncoder` with an entry in ENCODERS; `encoder` of a network's
configuration then chooses it by that name.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from hop_core.config import Config
from hop_policy.contract import PolicyContract, VisionKind
from hop_policy.table_view import CHANNELS, SIZE, Displacement, TableView

ReadOut = Literal["mean", "flatten"]
View = Literal["image", "table"]
Channels = Annotated[int, Field(ge=1)]


class EncoderConfig(Config):
    """Shape of the vision encoders; defaults are the paper's.

    Attributes:
        depth, point_cloud: names of the encoders (`ENCODERS`); the contract's vision says which of
            the two is used.
        channels: output channels of the depth encoder's four convolutions.
        read_out: how the last feature map becomes a token. The mean over pixels (the paper) keeps
            what is seen, and little of where; `flatten` keeps both.
        view: what the convolutions see: the camera's image (the paper), or the scene from above and
            from the front, levelled by the table in that image (`hop_policy.table_view`).
        points_width: width of the point-cloud encoder's hidden layers; null is the transformer's
            width.
    """

    depth: str = "convolutions"
    point_cloud: str = "pointnet"
    channels: tuple[Channels, Channels, Channels, Channels] = (32, 64, 128, 192)
    read_out: ReadOut = "mean"
    view: View = "image"
    points_width: int | None = Field(default=None, ge=8)

    @model_validator(mode="after")
    def _known(self) -> EncoderConfig:
        for vision, encoders in ENCODERS.items():
            name = getattr(self, vision)
            if name not in encoders:
                raise ValueError(
                    f"{vision} '{name}' is no encoder; there are {', '.join(encoders)}"
                )
        return self


class VisionEncoder(nn.Module):
    """What turns frames into tokens; made from a contract, its configuration and the width.

    Attributes:
        takes_metres: whether it wants frames as they are; else they come whitened.
    """

    takes_metres = False

    def __init__(self, contract: PolicyContract, config: EncoderConfig, width: int) -> None:
        super().__init__()

    def forward(self, vision: Tensor, *moved: Tensor | Displacement | None) -> Tensor:
        """Returns (N, width) tokens of frames (N, ...) of the contract's `vision_shape`.

        Args:
            vision: the frames.
            moved: what else a `TableView` takes, in training; others do without.
        """
        raise NotImplementedError


class DepthEncoder(VisionEncoder):
    """Four convolutions and a read-out. Source: HOP release (strides 2; 60 x 60 becomes 4 x 4)."""

    def __init__(self, contract: PolicyContract, config: EncoderConfig, width: int) -> None:
        super().__init__(contract, config, width)
        c1, c2, c3, c4 = config.channels
        self.table_view = TableView(contract.depth) if config.view == "table" else None
        # A table is found in metres, and what is seen on it has a scale of its own.
        self.takes_metres = self.table_view is not None
        channels, size = (CHANNELS, SIZE) if self.table_view else (1, contract.depth.size_px)
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, c1, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv2d(c1, c2, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(c2, c3, 3, stride=2, padding=1),
            nn.ReLU(),
            # Where pixels have to be told apart, the last map stays as it comes: 8 x 8 of an image,
            # 6 x 6 of a table view.
            nn.Conv2d(c3, c4, 3, stride=2 if config.read_out == "mean" else 1, padding=1),
        )
        # Channels last is what the CPU's kernels want: a third of the time of a training step less.
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        features = self.convolutions(torch.zeros(1, channels, size, size)).shape
        if config.read_out == "mean":
            out = c4
            self.read_out = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        else:
            out = c4 * features[2] * features[3]
            self.read_out = nn.Sequential(nn.ReLU(), nn.Flatten())
        # The paper's 192 channels are its width of 192: no projection, then.
        self.project = nn.Identity() if out == width else nn.Linear(out, width)

    def forward(self, vision: Tensor, *moved: Tensor | Displacement | None) -> Tensor:
        """Returns (N, width) tokens of depth images (N, 60, 60) [m], whitened for `image`."""
        image = self.table_view(vision, *moved) if self.table_view else vision.unsqueeze(1)
        image = image.contiguous(memory_format=torch.channels_last)
        token: Tensor = self.project(self.read_out(self.convolutions(image)))
        return token


class PointNetEncoder(VisionEncoder):
    """A small network on each point, then the maximum over points. Source: Qi et al. 2017."""

    def __init__(self, contract: PolicyContract, config: EncoderConfig, width: int) -> None:
        super().__init__(contract, config, width)
        hidden = config.points_width or width
        self.points = nn.Sequential(
            nn.Linear(3, hidden),
            nn.ELU(),
            nn.Linear(hidden, hidden),
            nn.ELU(),
            nn.Linear(hidden, width),
        )

    def forward(self, vision: Tensor, *moved: Tensor | Displacement | None) -> Tensor:
        """Returns (N, width) tokens of clouds (N, P, 3), whitened."""
        learning = self.training and torch.is_grad_enabled()
        if learning and vision.device.type == "cpu" and not torch.compiler.is_compiling():
            return self._through_critical_points(vision)
        token: Tensor = self.points(vision).amax(dim=1)
        return token

    def _through_critical_points(self, points: Tensor) -> Tensor:
        """Returns the same tokens, with a backward pass through a part of the points only.

        A gradient comes to a point only where it is the largest of its cloud in some channel, which
        is so for a quarter of them. How many are is known on a CPU; a GPU would be waited for.
        """
        clouds, count, _ = points.shape
        with torch.no_grad():
            largest = self.points(points).argmax(dim=1)  # (N, width)
            critical = torch.zeros(clouds, count, dtype=torch.bool).scatter_(1, largest, True)
            row = critical.flatten().cumsum(0).view(clouds, count) - 1  # among the critical ones
        features: Tensor = self.points(points[critical])
        return features.gather(0, row.gather(1, largest))


ENCODERS: dict[VisionKind, dict[str, type[VisionEncoder]]] = {
    "depth": {"convolutions": DepthEncoder},
    "point_cloud": {"pointnet": PointNetEncoder},
}


def build_encoder(contract: PolicyContract, config: EncoderConfig, width: int) -> VisionEncoder:
    """Returns the encoder that `config` names for the contract's vision."""
    return ENCODERS[contract.vision][getattr(config, contract.vision)](contract, config, width)
