"""A depth image as seen from above and from the front, with the table level.

A camera that was turned or moved shows the same scene in other pixels. How it is tilted and how
high it stands can be read from the table in its own image, so the views made here change with
neither: what is left of a bumped camera is a turn about the vertical and a shift along the table.
Where each demonstration has its own camera, a network knows it by that and recalls where its object
stood, so training moves the views along the table at random.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hop_policy.contract import DepthContract

CHANNELS = 2
SIZE = 48
"""Cells along each side of a view."""

# What cells cover, in metres: to the right of the camera, ahead of it, above the table.
_RIGHT = (-0.30, 0.30)
_AHEAD = (0.30, 0.90)
_ABOVE = (-0.05, 0.45)
_UNIT_M = 0.1
_STRIDE = 2  # every second row and column finds the table
_LOWER_PART = 0.6  # of the image, from here down, shows hardly anything but the table
_TABLE_M = 0.012  # what is lower over the table is the table
_TURNED_ABOUT_M = 0.5 * (_AHEAD[0] + _AHEAD[1])
_NEAR_TABLE = (0.15, 0.08, 0.04, 0.03, 0.03)  # of the camera's height: what a next fit goes by
_TINY = 1e-3  # keeps a fit to nothing finite


class Displacement(NamedTuple):
    """How what stands on the table is moved along it, in N frames; to the right and ahead [m].

    Attributes:
        below_m: (N,) it is lower than this over the table.
        grasp_m, goal_m: (N, 2) two places on the table, as seen from the camera.
        by_grasp_m, by_goal_m: (N, 2) by which all moves that stands nearer to the one, or to the
            other.
    """

    below_m: Tensor
    grasp_m: Tensor
    goal_m: Tensor
    by_grasp_m: Tensor
    by_goal_m: Tensor

    def of(self, frames: Tensor) -> Displacement:
        """Returns those of `frames`, indices of any shape that broadcasts."""
        return Displacement(*(each[frames] for each in self))

    def moved(self, table_motion: Tensor) -> Displacement:
        """Returns what it is in views that show all by motions (N, 3), as `TableView` takes them.

        A goal that is infinitely far becomes NaN or infinite; `shift` then goes by the grasp.
        """
        turn = table_motion[:, 0]
        return Displacement(
            below_m=self.below_m,
            grasp_m=_moved(self.grasp_m, table_motion),
            goal_m=_moved(self.goal_m, table_motion),
            by_grasp_m=_turned(self.by_grasp_m, turn),
            by_goal_m=_turned(self.by_goal_m, turn),
        )

    def shift(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Returns by how much points at `x`, `y` from the camera, `z` over the table, move [m]."""
        standing = z < self.below_m
        at_goal = _distance(x, y, self.goal_m) < _distance(x, y, self.grasp_m)
        shift = torch.where(at_goal[..., None], self.by_goal_m, self.by_grasp_m)
        return standing * shift[..., 0], standing * shift[..., 1]


class TableView(nn.Module):
    """Turns depth images into two maps: the highest from above, the nearest from the front.

    Both are orthographic. From above a cell is the height over the table of the highest point in
    it, from the front how far before `_AHEAD`'s end its nearest point lies. Where nothing is seen,
    or only the table, a cell is zero.
    """

    rays: Tensor
    basis: Tensor
    moments: Tensor

    def __init__(self, contract: DepthContract) -> None:
        super().__init__()
        self.far_m = contract.far_m
        size, half = contract.size_px, math.tan(math.radians(contract.fov_deg / 2))
        line = ((torch.arange(size) + 0.5) / size * 2 - 1) * half
        y, x = torch.meshgrid(line, line, indexing="ij")
        rays = torch.stack([x, y, torch.ones_like(x)], dim=-1)  # (H, W, 3) camera frame, z = 1
        self.register_buffer("rays", rays.flatten(0, 1), persistent=False)
        basis = rays[::_STRIDE, ::_STRIDE].flatten(0, 1)
        self.register_buffer("basis", basis, persistent=False)
        moments = (basis[:, :, None] * basis[:, None, :]).flatten(1)
        self.register_buffer("moments", moments, persistent=False)

    def forward(
        self,
        depth: Tensor,
        table_motion: Tensor | None = None,
        displacement: Displacement | None = None,
    ) -> Tensor:
        """Returns (N, 2, SIZE, SIZE) of depth images (N, H, W) [m], in units of 0.1 m.

        Args:
            depth: the images.
            table_motion: (N, 3) by which all that is seen is turned [rad] about the vertical
                through the middle of the view from above, then shifted to the right and ahead [m].
            displacement: by which parts are shifted before.
        """
        with torch.autocast(depth.device.type, enabled=False):  # planes and metres want every digit
            return self._views(depth, table_motion, displacement)

    def _views(
        self, depth: Tensor, table_motion: Tensor | None, displacement: Displacement | None
    ) -> Tensor:
        wanted = depth.dtype
        if not self.training:  # a point on a cell's edge must not depend on who runs the network
            depth = depth.double()
        down, height_m = self.table(depth)
        right, ahead = level_axes(down)
        count = depth.shape[0]  # len() would fix it in an export
        origin = None
        if table_motion is not None:  # of a frame, which costs nothing beside that of its points
            origin = _moved(torch.zeros(2, dtype=depth.dtype, device=depth.device), table_motion)
            right, ahead = turned(right, ahead, table_motion[:, :1])
            displacement = displacement and displacement.moved(table_motion)
        rays, distance = self.rays.T.to(depth.dtype), depth.flatten(1)
        x, y, z = right @ rays, ahead @ rays, height_m[:, None] - (down @ rays) * distance
        seen = (distance < self.far_m - 1e-3) & (z > _TABLE_M)
        frame = torch.arange(count, device=depth.device)[:, None]
        if self.training and depth.device.type == "cpu" and not torch.compiler.is_compiling():
            # A fifth of the pixels: how many is known on a CPU; a GPU would be waited for.
            points = seen.flatten().nonzero().squeeze(1)
            frame = points.div(seen.shape[1], rounding_mode="floor")
            picked = (each.flatten().index_select(0, points) for each in (x, y, z, distance, seen))
            x, y, z, distance, seen = picked
        x, y = x * distance, y * distance
        if origin is not None:
            x, y = x + origin[frame, 0], y + origin[frame, 1]
        if displacement is not None:
            right_m, ahead_m = displacement.of(frame).shift(x, y, z)
            x, y = x + right_m, y + ahead_m
        to_right, to_ahead, up = _cell(x, _RIGHT), _cell(y, _AHEAD), _cell(z, _ABOVE)
        from_above = _highest(count, frame, to_right, to_ahead, z, seen)
        from_front = _highest(count, frame, to_right, up, _AHEAD[1] - y, seen)
        return (torch.stack([from_above, from_front], dim=1) / _UNIT_M).to(wanted)

    def table(self, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the unit vectors (N, 3) down onto the table, and the camera's heights (N,) [m].

        Inverse depth on a plane is linear in the pixel, so the plane is a linear fit, first to the
        image's lower part, then again and again to what lies near the last one.
        """
        sampled, basis = depth[:, ::_STRIDE, ::_STRIDE], self.basis.to(depth.dtype)
        rows = sampled.shape[1]
        below = torch.arange(rows, device=depth.device) >= _LOWER_PART * rows
        seen = sampled < self.far_m - 1e-3
        weight = (seen & below[:, None]).flatten(1).to(depth.dtype)
        seen = seen.flatten(1)
        inverse = 1.0 / sampled.flatten(1)
        plane = self._fit(inverse, weight)
        for near in _NEAR_TABLE:
            off = 1.0 - plane @ basis.T / inverse  # height over the plane / camera's height
            plane = self._fit(inverse, (seen & (off.abs() < near)).to(depth.dtype))
        height_m = 1.0 / plane.norm(dim=1).clamp_min(_TINY)
        return plane * height_m[:, None], height_m

    def _fit(self, inverse: Tensor, weight: Tensor) -> Tensor:
        """Returns (N, 3): the least-squares coefficients of `inverse` (N, P) on the basis."""
        ridge = _TINY * torch.eye(3, device=weight.device, dtype=weight.dtype)
        a = (weight @ self.moments.to(weight.dtype)).view(-1, 3, 3) + ridge
        b = (weight * inverse) @ self.basis.to(weight.dtype)
        c0, c1, c2 = a.unbind(1)  # Cramer's rule: a symmetric 3 x 3 system
        adjugate = torch.stack(
            [torch.linalg.cross(c1, c2), torch.linalg.cross(c2, c0), torch.linalg.cross(c0, c1)], 1
        )
        determinant = (c0 * adjugate[:, 0]).sum(1, keepdim=True)
        return (adjugate * b[:, :, None]).sum(1) / determinant


def level_axes(down: Tensor) -> tuple[Tensor, Tensor]:
    """Returns unit vectors (N, 3) along the table: to the camera's right, and ahead of it."""
    optical = torch.zeros_like(down)
    optical[:, 2] = 1.0
    ahead = optical - down[:, 2:] * down
    ahead = ahead / ahead.norm(dim=1, keepdim=True).clamp_min(_TINY)
    return torch.linalg.cross(down, ahead), ahead


def turned(right: Tensor, ahead: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Returns vectors along the table, turned by `turn` [rad] as a table view is."""
    return turn.cos() * right - turn.sin() * ahead, turn.sin() * right + turn.cos() * ahead


def _distance(x: Tensor, y: Tensor, place: Tensor) -> Tensor:
    return torch.hypot(x - place[..., 0], y - place[..., 1])


def _moved(places: Tensor, table_motion: Tensor) -> Tensor:
    """Returns places (N, 2), or one (2,) in all frames, as motions (N, 3) show them."""
    right, ahead = places.unbind(-1)
    turn, by_right, by_ahead = table_motion.unbind(-1)
    right, ahead = turned(right, ahead - _TURNED_ABOUT_M, turn)
    return torch.stack([right + by_right, ahead + _TURNED_ABOUT_M + by_ahead], dim=-1)


def _turned(vectors: Tensor, turn: Tensor) -> Tensor:
    right, ahead = vectors.unbind(-1)
    return torch.stack(turned(right, ahead, turn), dim=-1)


def _cell(values: Tensor, limits: tuple[float, float]) -> Tensor:
    low, high = limits
    return ((values - low) / (high - low) * SIZE).floor()


def _highest(
    count: int, frame: Tensor, column: Tensor, row: Tensor, values: Tensor, seen: Tensor
) -> Tensor:
    """Returns (count, SIZE, SIZE): the largest of the values that fall into each cell, or 0.

    All others are of the points, one entry each: of which frame, in which cell, whether it is seen.
    """
    inside = seen & (column >= 0) & (column < SIZE) & (row >= 0) & (row < SIZE)
    nowhere, in_frame = count * SIZE * SIZE, (row * SIZE + column).long()
    cell = torch.where(inside, frame * (SIZE * SIZE) + in_frame, nowhere)
    maps = values.new_zeros(nowhere + 1).scatter_reduce(0, cell.flatten(), values.flatten(), "amax")
    return maps[:-1].view(count, SIZE, SIZE)
