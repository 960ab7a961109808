"""Vision encoders: one frame in, one token out. A new one is a class with an entry in ENCODERS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from hop_core.config import Config
from hop_policy.contract import PolicyContract

ReadOut = Literal["mean", "flatten", "spatial_softmax"]


class EncoderConfig(Config):
    """Shape of the vision encoders; defaults are the paper's.

    Attributes:
        channels: output channels of the depth encoder's four convolutions.
        read_out: how the last feature map becomes a token. The mean over pixels (the paper) keeps
            what is seen, and little of where; `flatten` keeps all of it; `spatial_softmax` keeps
            one (x, y) per channel.
        points_width: width of the point-cloud encoder's hidden layers; null is the transformer's
            width.
    """

    channels: tuple[int, int, int, int] = (32, 64, 128, 192)
    read_out: ReadOut = "mean"
    points_width: int | None = Field(default=None, ge=8)


class SpatialSoftmax(nn.Module):
    """Expected image position, in [-1, 1], of each channel. Source: Levine et al. 2016."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, 2 C) positions of feature maps (N, C, H, W)."""
        height, width = x.shape[-2:]
        weight = (x.flatten(2) * self.sharpness).softmax(-1).view_as(x)
        rows = torch.linspace(-1, 1, height, device=x.device, dtype=x.dtype)
        columns = torch.linspace(-1, 1, width, device=x.device, dtype=x.dtype)
        return torch.cat([weight.sum(3) @ rows, weight.sum(2) @ columns], dim=1)


class DepthEncoder(nn.Module):
    """Four convolutions and a read-out. Source: HOP release (strides 2; 60 x 60 becomes 4 x 4)."""

    def __init__(self, contract: PolicyContract, config: EncoderConfig, width: int) -> None:
        super().__init__()
        c1, c2, c3, c4 = config.channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, c1, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv2d(c1, c2, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(c2, c3, 3, stride=2, padding=1),
            nn.ReLU(),
            # Where pixels have to be told apart, the last map stays at 8 x 8.
            nn.Conv2d(c3, c4, 3, stride=2 if config.read_out == "mean" else 1, padding=1),
        )
        size = contract.depth.size_px
        features = self.convolutions(torch.zeros(1, 1, size, size)).shape
        read_outs: dict[ReadOut, Callable[[], tuple[nn.Module, int]]] = {
            "mean": lambda: (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), c4),
            "flatten": lambda: (
                nn.Sequential(nn.ReLU(), nn.Flatten()),
                c4 * features[2] * features[3],
            ),
            "spatial_softmax": lambda: (SpatialSoftmax(), 2 * c4),
        }
        self.read_out, out = read_outs[config.read_out]()
        # The paper's 192 channels are its width of 192: no projection, then.
        self.project = nn.Identity() if out == width else nn.Linear(out, width)

    def forward(self, depth: Tensor) -> Tensor:
        """Returns (N, width) tokens of depth images (N, 60, 60) [m, or whitened]."""
        token: Tensor = self.project(self.read_out(self.convolutions(depth.unsqueeze(1))))
        return token


class PointNetEncoder(nn.Module):
    """A small network on each point, then the maximum over points. Source: Qi et al. 2017."""

    def __init__(self, contract: PolicyContract, config: EncoderConfig, width: int) -> None:
        super().__init__()
        hidden = config.points_width or width
        self.points = nn.Sequential(
            nn.Linear(3, hidden),
            nn.ELU(),
            nn.Linear(hidden, hidden),
            nn.ELU(),
            nn.Linear(hidden, width),
        )

    def forward(self, points: Tensor) -> Tensor:
        """Returns (N, width) tokens of clouds (N, P, 3) [m, or whitened]."""
        token: Tensor = self.points(points).amax(dim=1)
        return token


ENCODERS: dict[str, Callable[[PolicyContract, EncoderConfig, int], nn.Module]] = {
    "depth": DepthEncoder,
    "point_cloud": PointNetEncoder,
}
